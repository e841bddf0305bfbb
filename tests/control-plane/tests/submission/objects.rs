//! The API server as the operator, the kubelet and people use it.

use std::{
    collections::BTreeSet,
    path::Path,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use moka_core::labels;
use moka_kube::{WatchEvent, WatchOptions, spark, watch};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

const NAMESPACE: &str = "spark-jobs";

/// The API server's objects.
#[derive(Clone)]
pub(crate) struct Objects {
    applications: Api<DynamicObject>,
    pods: Api<Pod>,
    services: Api<Service>,
    config_maps: Api<ConfigMap>,
}

impl Objects {
    pub(crate) async fn connect(kubeconfig: &Path) -> Self {
        let client: Client = moka_kube::client::connect(Some(kubeconfig), None)
            .await
            .unwrap();
        Self {
            applications: spark::applications(client.clone(), NAMESPACE),
            services: Api::namespaced(client.clone(), NAMESPACE),
            config_maps: Api::namespaced(client.clone(), NAMESPACE),
            pods: Api::namespaced(client, NAMESPACE),
        }
    }

    pub(crate) async fn application(&self, name: &str) -> Option<DynamicObject> {
        self.applications.get_opt(name).await.unwrap()
    }

    pub(crate) async fn driver(&self, name: &str) -> Option<Pod> {
        self.pods.get_opt(&format!("{name}-driver")).await.unwrap()
    }

    /// Whether a tombstone has this name.
    pub(crate) async fn is_tombstone(&self, name: &str) -> bool {
        let object = self.application(name).await;
        object.is_some_and(|object| object.labels().contains_key(labels::TOMBSTONE))
    }

    /// Whether neither the object nor the driver has our finalizer.
    pub(crate) async fn are_released(&self, name: &str) -> bool {
        let ours = |finalizers: &[String]| {
            finalizers
                .iter()
                .any(|one| one == labels::OUTCOME_FINALIZER)
        };
        let object = self.application(name).await;
        let driver = self.driver(name).await;
        !object.is_some_and(|object| ours(object.finalizers()))
            && !driver.is_some_and(|driver| ours(driver.finalizers()))
    }

    /// Waits for the event with which the API server tells that the driver is released.
    pub(crate) async fn released(&self, name: &str) {
        let options = WatchOptions {
            fields: format!("metadata.name={name}-driver"),
            ..WatchOptions::default()
        };
        let mut events = pin!(watch(self.pods.clone(), options));
        while let Some(event) = events.next().await {
            let pods = match event {
                WatchEvent::Snapshot(all) => all,
                WatchEvent::Applied(one) | WatchEvent::Deleted(one) => vec![one],
                WatchEvent::Interrupted(error) => panic!("the watch is blind: {error}"),
            };
            if pods.iter().any(|pod| pod.finalizers().is_empty()) {
                return;
            }
        }
    }

    /// Somebody else's object.
    pub(crate) async fn create_stranger(&self, name: &str) {
        let spec = json!({
            "type": "Python", "mode": "cluster", "sparkVersion": "4.0.1", "suspend": true,
            "mainApplicationFile": "local:///x.py", "driver": {}, "executor": {},
        });
        let object = spark::new_application(name, spec);
        self.applications
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }

    pub(crate) async fn delete_application(&self, name: &str) {
        self.applications
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    pub(crate) async fn delete_driver(&self, name: &str) {
        self.pods
            .delete(&format!("{name}-driver"), &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Takes all finalizers of a driver and deletes it by force: it is gone at once.
    pub(crate) async fn erase_driver(&self, name: &str) {
        let driver = format!("{name}-driver");
        let patch = json!({ "metadata": { "finalizers": null } });
        self.pods
            .patch(&driver, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        let parameters = DeleteParams::default().grace_period(0);
        self.pods.delete(&driver, &parameters).await.unwrap();
    }

    /// An executor whose container has ended for this reason.
    pub(crate) async fn create_ended_executor(&self, name: &str, reason: &str) {
        let driver = self.driver(name).await.unwrap();
        let mut pod = serde_json::to_value(&driver).unwrap();
        let mut labels = pod["metadata"]["labels"].clone();
        labels["spark-role"] = json!("executor");
        pod["metadata"] = json!({ "name": format!("{name}-exec-1"), "labels": labels });
        pod["spec"]["containers"][0]["name"] = json!(labels::EXECUTOR_CONTAINER);
        pod["status"] = Value::Null;
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.pods
            .create(&PostParams::default(), &pod)
            .await
            .unwrap();
        let status = json!({ "status": { "phase": "Failed", "containerStatuses": [{
            "name": labels::EXECUTOR_CONTAINER, "ready": false, "restartCount": 0, "image": "x", "imageID": "",
            "state": { "terminated": { "exitCode": 137, "reason": reason } },
        }]}});
        self.pods
            .patch_status(
                &format!("{name}-exec-1"),
                &PatchParams::default(),
                &Patch::Merge(status),
            )
            .await
            .unwrap();
    }

    pub(crate) async fn create_service(&self, name: &str) {
        let service = json!({ "metadata": { "name": name }, "spec": {
            "clusterIP": "None", "selector": { "app": "none" }, "ports": [{ "port": 7078 }],
        }});
        let service: Service = serde_json::from_value(service).unwrap();
        // Tests share the API server.
        let _ = self.services.create(&PostParams::default(), &service).await;
    }

    pub(crate) async fn create_config_map(&self, name: &str) {
        let map = json!({ "metadata": { "name": name }, "data": { "spark.properties": "" } });
        let map: ConfigMap = serde_json::from_value(map).unwrap();
        self.config_maps
            .create(&PostParams::default(), &map)
            .await
            .unwrap();
    }

    /// The names of all services and config maps.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let services = self.services.list(&ListParams::default()).await.unwrap();
        let maps = self.config_maps.list(&ListParams::default()).await.unwrap();
        let services = services.items.iter().map(kube::ResourceExt::name_any);
        services
            .chain(maps.items.iter().map(kube::ResourceExt::name_any))
            .collect()
    }

    /// What the operator does: writes the application's status.
    pub(crate) async fn set_application_status(
        &self,
        name: &str,
        state: &str,
        error_message: &str,
    ) {
        let status = json!({ "status": {
            "applicationState": { "state": state, "errorMessage": error_message },
            "driverInfo": { "podName": format!("{name}-driver") },
            "executionAttempts": 1, "submissionAttempts": 1,
            "lastSubmissionAttemptTime": null, "terminationTime": null,
        }});
        self.applications
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await
            .unwrap();
    }

    /// What spark-submit and the scheduler do: makes the driver's pod from the object's template,
    /// on a node.
    pub(crate) async fn create_driver(&self, name: &str) {
        let object = self.application(name).await.unwrap();
        let template = &object.data["spec"]["driver"]["template"];
        let mut pod = json!({
            "metadata": template["metadata"],
            "spec": template["spec"],
        });
        pod["metadata"]["name"] = json!(format!("{name}-driver"));
        pod["metadata"]["labels"]["spark-role"] = json!("driver");
        pod["metadata"]["labels"]["spark-app-selector"] = json!(format!("spark-of-{name}"));
        pod["spec"]["containers"][0]["image"] = json!("localhost/moka-spark:4.0.1");
        pod["spec"]["nodeName"] = json!("no-such-node");
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.pods
            .create(&PostParams::default(), &pod)
            .await
            .unwrap();
    }

    /// What the kubelet does: writes the pod's status.
    pub(crate) async fn set_driver_status(&self, name: &str, phase: &str, state: Value) {
        let status = json!({ "status": {
            "phase": phase,
            "containerStatuses": [{
                "name": labels::DRIVER_CONTAINER, "state": state, "ready": false, "restartCount": 0,
                "image": "localhost/moka-spark:4.0.1", "imageID": "",
            }],
        }});
        self.patch_driver_status(name, &status).await;
    }

    pub(crate) async fn patch_driver_status(&self, name: &str, status: &Value) {
        self.pods
            .patch_status(
                &format!("{name}-driver"),
                &PatchParams::default(),
                &Patch::Merge(status),
            )
            .await
            .unwrap();
    }

    /// What the kubelet and others do: tells of something about a pod.
    pub(crate) async fn warn(&self, pod: &str, reason: &str, message: &str) {
        let event = json!({
            "metadata": { "generateName": "test-", "namespace": NAMESPACE },
            "involvedObject": { "kind": "Pod", "name": pod, "namespace": NAMESPACE },
            "type": "Warning", "reason": reason, "message": message,
            "lastTimestamp": "2026-11-21T01:23:11Z",
        });
        let event: Event = serde_json::from_value(event).unwrap();
        let events = Api::<Event>::namespaced(self.pods.clone().into_client(), NAMESPACE);
        events.create(&PostParams::default(), &event).await.unwrap();
    }

    /// Watches from now on, and begins only when the first list is there.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's watch ends with the test"
    )]
    pub(crate) async fn witness(&self) -> Witness {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let (ready, listed) = oneshot::channel();
        let options = WatchOptions {
            relist_interval: None::<Duration>,
            ..WatchOptions::default()
        };
        let (events, writes) = (watch(self.applications.clone(), options), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let mut ready = Some(ready);
            let mut events = pin!(events);
            while let Some(event) = events.next().await {
                let objects = match event {
                    // What came and went before a second list nobody has seen.
                    WatchEvent::Snapshot(_) if ready.is_none() => return,
                    WatchEvent::Snapshot(all) => all,
                    WatchEvent::Applied(one) | WatchEvent::Deleted(one) => vec![one],
                    // A busy API server asks to come again: the watch goes on where it was.
                    WatchEvent::Interrupted(_) => continue,
                };
                for object in objects {
                    let is_tombstone = object.labels().contains_key(labels::TOMBSTONE);
                    let sight = (object.name_any(), object.uid().unwrap(), is_tombstone);
                    writes.lock().unwrap().insert(sight);
                }
                if let Some(ready) = ready.take() {
                    ready.send(()).unwrap();
                }
            }
        });
        listed.await.unwrap();
        Witness { seen, task }
    }
}

/// Name, uid, and whether it is a tombstone.
type Sight = (String, String, bool);

/// Remembers every SparkApplication that ever existed while it watched.
pub(crate) struct Witness {
    seen: Arc<Mutex<BTreeSet<Sight>>>,
    task: JoinHandle<()>,
}

impl Witness {
    /// The uids of the launched objects that had a name.
    pub(crate) fn uids(&self, name: &str) -> Vec<String> {
        assert!(!self.task.is_finished(), "the witness is blind");
        let seen = self.seen.lock().unwrap();
        let launched = seen
            .iter()
            .filter(|(found, _, tombstone)| found == name && !tombstone);
        launched.map(|(_, uid, _)| uid.clone()).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}
