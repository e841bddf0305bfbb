//! The whole mesh on the real local cluster: Kubernetes, YuniKorn, the Spark Operator, Spark, S3, a
//! TSDB, and a History Server as judge. Run one after another: there is one cluster and it is
//! small.
#![expect(clippy::unwrap_used, reason = "a test")]

mod crash;
mod documents;
mod failing;
mod killed;
mod main_job;
mod node;
mod operator;
mod refusals;
mod rotation;
mod sidecar;

use moka_proto::submission::v1::SubmitApplicationRequest;
use moka_xtask::{
    cluster::{self, ClusterInfo},
    demo::follow,
    mesh::{self, Clients, Endpoints},
};
use tokio::{process::Command, sync::OnceCell};

/// The running mesh and how to reach it.
struct Mesh {
    cluster: ClusterInfo,
    endpoints: Endpoints,
}

impl Mesh {
    /// Starts whatever does not run: once for all tests.
    async fn get() -> &'static Self {
        static MESH: OnceCell<Mesh> = OnceCell::const_new();
        MESH.get_or_init(|| async {
            let cluster = cluster::ensure_up()
                .await
                .expect("the local cluster starts");
            let endpoints = mesh::install(&cluster).await.expect("the mesh starts");
            Self { cluster, endpoints }
        })
        .await
    }

    /// Fresh connections: each test has a runtime of its own, and a connection dies with its
    /// runtime.
    fn clients(&self) -> Clients {
        Clients::new(&self.endpoints).expect("addresses of services are URLs")
    }

    /// What `kubectl` prints.
    async fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.cluster.kubectl)
            .arg("--kubeconfig")
            .arg(&self.cluster.kubeconfig)
            .args(arguments)
            .output()
            .await
            .expect("kubectl is installed");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("kubectl prints UTF-8")
    }
}

/// A key that no earlier run used.
fn fresh_key(name: &str) -> String {
    let unique = tempfile::Builder::new()
        .prefix("")
        .tempdir()
        .expect("a temporary folder");
    let unique = unique
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    format!("{name}-{}-{unique}", std::process::id())
}

/// Submits an application and returns its id.
async fn submit(clients: &Clients, request: SubmitApplicationRequest) -> String {
    follow::submit(clients, request).await.unwrap()
}
