//! The launcher's conformance suite on a real API server.

use std::time::Duration;

use async_trait::async_trait;
use moka_core::{ApplicationId, AttemptName, clock::SystemClock, entropy::SystemEntropy};
use moka_submission::{
    cluster::SparkOperator,
    domain::manifest::ManifestSettings,
    launcher::conformance::{self, Others},
};
use serde_json::json;

use crate::{installation::control_plane, objects::Objects};

#[async_trait]
impl Others for Objects {
    async fn create_driver(&self, name: AttemptName) {
        Self::create_driver(self, &name.to_string()).await;
    }

    async fn run_driver(&self, name: AttemptName) {
        let running = json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } });
        self.set_driver_status(&name.to_string(), "Running", running)
            .await;
    }

    async fn end_driver(&self, name: AttemptName, exit_code: i32) {
        let phase = if exit_code == 0 {
            "Succeeded"
        } else {
            "Failed"
        };
        let ended = json!({ "terminated": { "exitCode": exit_code, "reason": "Error" } });
        self.set_driver_status(&name.to_string(), phase, ended)
            .await;
    }

    async fn create_stranger(&self, name: AttemptName) {
        Self::create_stranger(self, &name.to_string()).await;
    }
}

#[tokio::test]
async fn the_spark_operators_cluster_does_what_a_launcher_must() {
    let control_plane = control_plane().await;
    let kubeconfig = control_plane.kubeconfig_path();
    let client = moka_kube::client::connect(Some(&kubeconfig), None)
        .await
        .unwrap();
    let settings = ManifestSettings {
        service_account: "spark".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        event_log_host_path: "/var/lib/moka/events".to_owned(),
        exporter: None,
    };
    let namespace = "spark-jobs";
    let relist_interval = Duration::from_secs(2);
    let launcher = SparkOperator::new(client, namespace.to_owned(), settings, relist_interval);
    let objects = Objects::connect(&kubeconfig).await;
    let ids = || ApplicationId::mint(&SystemClock, &SystemEntropy);
    conformance::run(&launcher, &objects, namespace, ids)
        .await
        .unwrap();
}
