//! A cluster full of applications whose drivers wait for their nodes.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use http::{HeaderValue, header::ACCEPT};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    core::{DynamicObject, PartialObjectMeta, Request},
};
use moka_core::{
    ApplicationId, AttemptName,
    clock::{Clock, SystemClock},
    entropy::SystemEntropy,
    labels,
};
use moka_db::{Database, PoolOptions};
use moka_kube::spark;
use moka_process::Tasks;
use moka_submission::{
    cluster::SparkOperator,
    domain::{
        application::{Application, Placement},
        lifecycle::Happening,
        manifest::ManifestSettings,
        resolve::{Rules, resolve},
    },
    launcher::{Created, Launcher as _},
    store::{SqlStore, Store as _, conformance::submission},
};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use super::observer::Change;

const NAMESPACE: &str = "spark-jobs";
const CONCURRENCY: usize = 32;
const ACTOR: &str = "bench";
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// The applications and their drivers.
pub(super) struct Cluster {
    /// Their first attempts.
    pub(super) names: Vec<AttemptName>,
    /// The API of the drivers' pods.
    pub(super) drivers: Api<Pod>,
}

impl Cluster {
    /// Brings `count` applications to where their drivers' pods exist.
    pub(super) async fn fill(database_url: &str, kubeconfig: &Path, count: usize) -> Result<Self> {
        let client = moka_kube::client::connect(Some(kubeconfig), None).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = Database::connect(database_url, PoolOptions::default()).await?;
        let tasks = Tasks::default();
        let store = SqlStore::open(database, clock, &tasks).await?;
        let drivers = Api::namespaced(client.clone(), NAMESPACE);
        let objects = spark::applications(client.clone(), NAMESPACE);
        let operator = operator(client.clone());
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let mut filling = JoinSet::new();
        for number in 0..count {
            let permit = Arc::clone(&permits).acquire_owned().await?;
            let (store, operator) = (store.clone(), operator.clone());
            let (objects, drivers) = (objects.clone(), drivers.clone());
            filling.spawn(async move {
                let name = fill_one(&store, &operator, &objects, &drivers, number).await?;
                drop(permit);
                Ok::<_, anyhow::Error>(name)
            });
        }
        let mut names = Vec::with_capacity(count);
        while let Some(filled) = filling.join_next().await {
            names.push(filled??);
        }
        // Its writer ends with it.
        drop(store);
        tasks.drain(Duration::from_secs(10)).await?;
        Ok(Self { names, drivers })
    }

    /// Lets the API server collect its garbage, so that the next time is after the measurement.
    pub(super) async fn collect_garbage(&self) -> Result<()> {
        let request = http::Request::get("/debug/pprof/heap?gc=1&debug=1").body(Vec::new())?;
        let client = self.drivers.clone().into_client();
        client.request_text(request).await?;
        Ok(())
    }
}

fn operator(client: Client) -> SparkOperator {
    let settings = ManifestSettings {
        service_account: "spark".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        event_log_host_path: "/var/lib/moka/events".to_owned(),
        exporter: None,
    };
    let relist_interval = Duration::from_mins(10);
    SparkOperator::new(client, NAMESPACE.to_owned(), settings, relist_interval)
}

async fn fill_one(
    store: &SqlStore,
    operator: &SparkOperator,
    objects: &Api<DynamicObject>,
    drivers: &Api<Pod>,
    number: usize,
) -> Result<AttemptName> {
    let id = ApplicationId::mint(&SystemClock, &SystemEntropy);
    let submission = submission("bench", &format!("live-{number}"), 0);
    let launch = resolve(&submission.spec, Rules::default())?;
    store.submit(id, &submission).await?;
    let placed = Happening::Placed {
        attempt_number: 1,
        placement: Placement {
            cluster: "bench".to_owned(),
            queue: "root.demo".to_owned(),
            namespace: NAMESPACE.to_owned(),
            scheduler_name: "yunikorn".to_owned(),
            ..Placement::default()
        },
        launch: Box::new(launch),
    };
    let application = record(store, id, None, &placed).await?;
    let attempt = application.attempt().context("it was placed")?;
    let Created::New { uid } = operator.create(&application, attempt).await? else {
        bail!("another object has the name");
    };
    record(store, id, Some(1), &Happening::Created { uid }).await?;
    let name = AttemptName::new(id, 1);
    // The operator has read it.
    let seen =
        json!({ "status": { "applicationState": { "state": "SUBMITTED" }, "driverInfo": {} } });
    objects
        .patch_status(
            &name.to_string(),
            &PatchParams::default(),
            &Patch::Merge(seen),
        )
        .await?;
    drivers
        .create(&PostParams::default(), &driver(name)?)
        .await?;
    Ok(name)
}

async fn record(
    store: &SqlStore,
    id: ApplicationId,
    number: Option<u32>,
    happening: &Happening,
) -> Result<Application> {
    let recorded = store.record(id, number, happening, ACTOR).await?;
    Ok(recorded.context("the application exists")?.application)
}

fn driver(name: AttemptName) -> Result<Pod> {
    pod(
        &name.driver_pod(),
        &json!({
            (labels::APPLICATION_ID): name.application_id.to_string(),
            (labels::ATTEMPT): "1",
            "spark-role": "driver",
            "spark-app-selector": format!("spark-{}", name.application_id),
        }),
    )
}

/// A pod about as large as Spark makes a driver's.
pub(super) fn pod(name: &str, pod_labels: &Value) -> Result<Pod> {
    let variables: Vec<_> = (0..30)
        .map(
            |number| json!({ "name": format!("SPARK_VARIABLE_{number}"), "value": "x".repeat(60) }),
        )
        .collect();
    let pod = json!({
        "metadata": {
            "name": name,
            "labels": pod_labels,
            "finalizers": [labels::OUTCOME_FINALIZER],
        },
        "spec": {
            "nodeName": "no-such-node",
            "automountServiceAccountToken": false,
            "containers": [{
                "name": labels::DRIVER_CONTAINER, "image": "registry.example/spark:4.0.1", "env": variables,
            }],
        },
    });
    Ok(serde_json::from_value(pod)?)
}

/// What the kubelet does.
pub(super) async fn write_driver_status(
    drivers: &Api<Pod>,
    pod: &str,
    change: Change,
) -> Result<()> {
    let now = Timestamp::now().to_string();
    let (phase, state) = match change {
        Change::Started => ("Running", json!({ "running": { "startedAt": now } })),
        Change::Ended => (
            "Succeeded",
            json!({ "running": null, "terminated": {
                "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now,
            }}),
        ),
    };
    let status = json!({ "status": { "phase": phase, "containerStatuses": [{
        "name": labels::DRIVER_CONTAINER, "state": state, "ready": false, "restartCount": 0, "image": "x", "imageID": "",
    }]}});
    // As the kubelet does. What it has no use for is not answered: the API server's time is short.
    let patch = Patch::Strategic(status);
    let request = Request::new(drivers.resource_url());
    let mut request = request.patch_subresource("status", pod, &PatchParams::default(), &patch)?;
    let answer = HeaderValue::from_static(METADATA_ONLY);
    request.headers_mut().insert(ACCEPT, answer);
    let client = drivers.clone().into_client();
    client.request::<PartialObjectMeta<Pod>>(request).await?;
    Ok(())
}
