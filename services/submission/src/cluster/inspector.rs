//! Looking into Kubernetes clusters. Whoever asks why asks rarely: each look connects anew, so that
//! credentials that changed are used at once.

use async_trait::async_trait;
use futures::future::try_join_all;
use kube::{
    Api, Client, ResourceExt as _,
    api::ListParams,
    core::{DynamicObject, ObjectList},
};
use moka_core::{AttemptName, labels};
use moka_kube::{
    calls,
    k8s_openapi::api::core::v1::{Event, Pod},
    spark,
};
use serde_json::Value;

use super::Connector;
use crate::{
    domain::{
        explain::{Notice, PodView, Sight},
        observation::ObjectView,
    },
    inspector::{Inspector, no_access},
    launcher::{Result, Target},
};

/// Pods that are looked at.
const MOST_PODS: u32 = 100;
/// Pods whose events are read: the driver and some executors.
const MOST_PODS_WITH_EVENTS: usize = 4;
/// Events that are read of one object.
const MOST_EVENTS: u32 = 50;

/// Clusters whose credentials this process has.
#[derive(Debug, Clone)]
pub struct KubernetesInspector {
    connector: Connector,
}

impl KubernetesInspector {
    /// With the credentials that a connector finds.
    pub fn new(connector: Connector) -> Self {
        Self { connector }
    }
}

#[async_trait]
impl Inspector for KubernetesInspector {
    async fn inspect(&self, cluster: &str, target: &Target) -> Result<Sight> {
        let Ok(credentials) = self.connector.credentials(cluster).await else {
            return Err(no_access(cluster));
        };
        let client = credentials.client().await?;
        Ok(look(client, target).await?)
    }
}

async fn look(client: Client, target: &Target) -> std::result::Result<Sight, moka_kube::Error> {
    let Target {
        name, namespace, ..
    } = target;
    let object_name = name.to_string();
    let objects = spark::applications(client.clone(), namespace);
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let events = Api::<Event>::namespaced(client, namespace);
    let selector = format!(
        "{}={},{}={}",
        labels::APPLICATION_ID,
        name.application_id,
        labels::ATTEMPT,
        name.number
    );
    let parameters = ListParams::default().labels(&selector).limit(MOST_PODS);
    let (object, pods, notices) = tokio::try_join!(
        calls::get::<DynamicObject>(&objects, &object_name),
        async { Ok(pods.list(&parameters).await?) },
        notices_of(&events, &object_name),
    )?;
    let pods = views(pods, *name);
    let about_pods = pods
        .iter()
        .take(MOST_PODS_WITH_EVENTS)
        .map(|pod| notices_of(&events, &pod.name));
    let about_pods = try_join_all(about_pods).await?;
    Ok(Sight {
        object: object.map(|object| ObjectView::read(&document(&object), *name)),
        notices: about_pods.into_iter().chain([notices]).flatten().collect(),
        pods,
    })
}

/// The driver first, then executors that do not run, by name.
fn views(pods: ObjectList<Pod>, name: AttemptName) -> Vec<PodView> {
    let driver = name.driver_pod();
    let view = |pod: Pod| {
        let is_driver = pod.name_any() == driver;
        let container = if is_driver {
            labels::DRIVER_CONTAINER
        } else {
            labels::EXECUTOR_CONTAINER
        };
        PodView::read(&document(&pod), is_driver, container)
    };
    let mut views: Vec<_> = pods.items.into_iter().map(view).collect();
    views.sort_by_key(|pod| (!pod.is_driver, pod.phase == "Running", pod.name.clone()));
    views
}

async fn notices_of(
    events: &Api<Event>,
    name: &str,
) -> std::result::Result<Vec<Notice>, moka_kube::Error> {
    let parameters = ListParams::default()
        .fields(&format!("involvedObject.name={name}"))
        .limit(MOST_EVENTS);
    let found = events.list(&parameters).await?;
    Ok(found
        .items
        .iter()
        .map(|event| Notice::read(&document(event)))
        .collect())
}

/// What came from the API server as JSON is JSON again.
fn document(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
