//! Applications run by the Spark Operator.

mod leftovers;
mod release;
mod sightings;

use std::{fmt::Debug, future::Future, pin::pin, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, LogParams},
    core::{ApiResource, DynamicObject},
};
use moka_core::{AttemptName, labels};
use moka_kube::{calls, k8s_openapi::api::core::v1::Pod, spark};
use serde_json::Value;
use tokio::time::timeout;

use self::sightings::DriverPod;
use super::log_tail;
use crate::{
    domain::{
        application::{Application, Attempt},
        manifest::{self, ManifestSettings},
        observation::{DriverView, ExecutorView, ObjectView, Observation, Owner},
    },
    launcher::{Created, Error, Fence, Grace, Launcher, Leftover, Result, Sighting, Target},
};

/// Longest wait for one call. A create that takes longer is repeated, and adopts.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const LOG_TAIL_LINES: i64 = 200;
/// A log is worth less time: the kubelet that has it may be gone.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);
/// Executors to look at for the reason of a failure.
const EXECUTORS_LIMIT: u32 = 500;

/// A cluster whose Spark Operator runs our applications.
#[derive(Clone)]
pub struct SparkOperator {
    client: Client,
    namespace: String,
    settings: ManifestSettings,
    relist_interval: Duration,
}

impl Debug for SparkOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SparkOperator")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl SparkOperator {
    /// A cluster behind a client. `namespace` is the one that is watched.
    pub fn new(
        client: Client,
        namespace: String,
        settings: ManifestSettings,
        relist_interval: Duration,
    ) -> Self {
        Self {
            client,
            namespace,
            settings,
            relist_interval,
        }
    }

    fn objects(&self, namespace: &str) -> Api<DynamicObject> {
        spark::applications(self.client.clone(), namespace)
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn driver_pods(&self, namespace: &str) -> Api<DriverPod> {
        let pods = ApiResource::erase::<Pod>(&());
        Api::namespaced_with(self.client.clone(), namespace, &pods)
    }

    async fn object(&self, target: &Target) -> Result<Option<DynamicObject>> {
        let api = self.objects(&target.namespace);
        within(calls::get(&api, &target.name.to_string())).await
    }

    async fn driver_pod(&self, target: &Target) -> Result<Option<Pod>> {
        let api = self.pods(&target.namespace);
        within(calls::get(&api, &target.name.driver_pod())).await
    }

    /// Creates a document; `None` when something has its name.
    async fn create_document(&self, namespace: &str, document: Value) -> Result<Option<String>> {
        let object: DynamicObject = serde_json::from_value(document)
            .map_err(|error| Error::Refused(format!("no document of Kubernetes: {error}")))?;
        let api = self.objects(namespace);
        let created = timeout(CALL_TIMEOUT, calls::create(&api, &object)).await;
        match created.map_err(|_elapsed| silent())? {
            Ok(created) => Ok(created.uid()),
            Err(moka_kube::Error::AlreadyExists(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Launcher for SparkOperator {
    async fn create(&self, application: &Application, attempt: &Attempt) -> Result<Created> {
        let target = Target::of(application, attempt);
        let Some(launch) = &attempt.launch else {
            return Err(Error::Refused("it was never placed".to_owned()));
        };
        let document = manifest::spark_application(application, attempt, launch, &self.settings);
        if let Some(uid) = self.create_document(&target.namespace, document).await? {
            return Ok(Created::New { uid });
        }
        match self.object(&target).await? {
            None => Err(Error::Unavailable(
                "the object went away meanwhile".to_owned(),
            )),
            Some(object) => {
                let view = view(&object, target.name);
                Ok(match view.owner {
                    Owner::Attempt => Created::Adopted { uid: view.uid },
                    owner => Created::NameTaken(owner),
                })
            }
        }
    }

    async fn fence(&self, target: &Target) -> Result<Fence> {
        let tombstone = manifest::tombstone(target.name, &target.namespace);
        if self
            .create_document(&target.namespace, tombstone)
            .await?
            .is_some()
        {
            return Ok(Fence::Tombstone);
        }
        match self.object(target).await? {
            None => Err(Error::Unavailable(
                "the object went away meanwhile".to_owned(),
            )),
            Some(object) => {
                let view = view(&object, target.name);
                Ok(match view.owner {
                    Owner::Attempt => Fence::Object { uid: view.uid },
                    Owner::Tombstone => Fence::Tombstone,
                    Owner::Stranger => Fence::Stranger,
                })
            }
        }
    }

    async fn observe(&self, target: &Target) -> Result<Observation> {
        // The driver first: were it read after the object, one that appeared in between would seem
        // to have no object, as after a deletion.
        let mut driver = self.driver(target).await?;
        let object = self.object(target).await?;
        let says_over = |object: &DynamicObject| {
            let view = view(object, target.name);
            view.is_terminal() || view.delete_time.is_some()
        };
        if driver.is_none() && object.as_ref().is_none_or(says_over) {
            // There may have been one since, and it is the better witness.
            driver = self.driver(target).await?;
        }
        Ok(Observation {
            object: object.map(|object| view(&object, target.name)),
            driver,
        })
    }

    async fn driver(&self, target: &Target) -> Result<Option<DriverView>> {
        let api = self.driver_pods(&target.namespace);
        let pod = within(calls::get(&api, &target.name.driver_pod())).await?;
        Ok(pod
            .filter(|pod| is_of(pod, target.name))
            .map(|pod| DriverView::read(&document(&pod))))
    }

    async fn driver_log(&self, target: &Target) -> Result<String> {
        let parameters = LogParams {
            container: Some(labels::DRIVER_CONTAINER.to_owned()),
            tail_lines: Some(LOG_TAIL_LINES),
            ..LogParams::default()
        };
        let pods = self.pods(&target.namespace);
        let name = target.name.driver_pod();
        let read = async {
            let log = pods
                .log_stream(&name, &parameters)
                .await
                .map_err(moka_kube::Error::from)?;
            let unreadable =
                |error: std::io::Error| moka_kube::Error::Unavailable(error.to_string());
            log_tail::read(log).await.map_err(unreadable)
        };
        let answer = timeout(LOG_TIMEOUT, within(read)).await;
        answer.map_err(|_elapsed| Error::Unavailable("no log in time".to_owned()))?
    }

    async fn executors(&self, target: &Target) -> Result<Vec<ExecutorView>> {
        let AttemptName {
            application_id,
            number,
        } = target.name;
        let (id, attempt) = (labels::APPLICATION_ID, labels::ATTEMPT);
        let selector = format!("spark-role=executor,{id}={application_id},{attempt}={number}");
        let parameters = ListParams::default()
            .labels(&selector)
            .limit(EXECUTORS_LIMIT);
        let api = self.pods(&target.namespace);
        let list = async { api.list(&parameters).await.map_err(moka_kube::Error::from) };
        let pods = within(list).await?;
        Ok(pods
            .items
            .iter()
            .map(|pod| ExecutorView::read(&document(pod)))
            .collect())
    }

    async fn stop(&self, target: &Target, grace: Grace) -> Result<()> {
        if let Some(object) = self.object(target).await?
            && view(&object, target.name).owner == Owner::Attempt
            && !spark::is_deleting(&object)
        {
            let api = self.objects(&target.namespace);
            within(calls::delete(&api, &object)).await?;
        }
        // The operator deletes the driver with the object, but it may be away or have forgotten it.
        if let Some(pod) = self.driver_pod(target).await?
            && is_of(&pod, target.name)
        {
            let api = self.pods(&target.namespace);
            let is_told = pod.metadata.deletion_timestamp.is_some();
            let has_grace = pod.metadata.deletion_grace_period_seconds != Some(0);
            match grace {
                Grace::Own if !is_told => within(calls::delete(&api, &pod)).await?,
                Grace::None if !is_told || has_grace => {
                    within(calls::delete_at_once(&api, &pod)).await?;
                }
                Grace::Own | Grace::None => {}
            }
        }
        Ok(())
    }

    async fn release(&self, target: &Target) -> Result<u64> {
        release::whatever_there_is(self, target).await
    }

    async fn release_ended(&self, target: &Target, driver_uid: &str) -> Result<bool> {
        release::ended(self, target, driver_uid).await
    }

    async fn remove(&self, target: &Target) -> Result<()> {
        if let Some(object) = self.object(target).await?
            && view(&object, target.name).owner != Owner::Stranger
        {
            let api = self.objects(&target.namespace);
            within(calls::delete(&api, &object)).await?;
        }
        Ok(())
    }

    async fn probe(&self) -> Result<()> {
        let version = async {
            let version = self.client.apiserver_version().await;
            version.map_err(moka_kube::Error::from)
        };
        within(version).await.map(|_| ())
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        leftovers::list(&self.client, &self.namespace).await
    }

    async fn remove_leftover(&self, leftover: &Leftover) -> Result<()> {
        leftovers::remove(&self.client, &self.namespace, leftover).await
    }

    fn sightings(&self) -> BoxStream<'static, Sighting> {
        sightings::sightings(
            self.objects(&self.namespace),
            self.driver_pods(&self.namespace),
            self.relist_interval,
        )
    }
}

fn view(object: &DynamicObject, name: AttemptName) -> ObjectView {
    ObjectView::read(&document(object), name)
}

/// What came from the API server as JSON is JSON again.
fn document(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// A pod's name alone is no proof: anybody may make a pod of that name.
fn is_of(pod: &impl Resource, name: AttemptName) -> bool {
    let id = name.application_id.to_string();
    pod.labels().get(labels::APPLICATION_ID) == Some(&id)
}

async fn within<T>(
    call: impl Future<Output = std::result::Result<T, moka_kube::Error>>,
) -> Result<T> {
    let answer = timeout(CALL_TIMEOUT, pin!(call)).await;
    Ok(answer.map_err(|_elapsed| silent())??)
}

fn silent() -> Error {
    Error::Unavailable(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))
}

impl From<moka_kube::Error> for Error {
    fn from(error: moka_kube::Error) -> Self {
        match error {
            moka_kube::Error::Refused(message) => Self::Refused(message),
            moka_kube::Error::TooManyRequests { retry_after } => Self::Busy { retry_after },
            // A namespace or a kind that is missing is the platform's fault, and may come.
            error => Self::Unavailable(error.to_string()),
        }
    }
}
