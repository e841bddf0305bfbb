//! Servers that tests start for themselves: they answer, stand side by side, and go.

#![expect(clippy::unwrap_used, reason = "test support")]

use std::process::Command;

use moka_xtask::{cluster::control_plane::ControlPlane, postgres::TemporaryPostgres};

fn kubectl(control_plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(control_plane.kubeconfig_path())
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn control_planes_stand_side_by_side_and_go() {
    let (one, other) = tokio::join!(ControlPlane::start(), ControlPlane::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    kubectl(&one, &["create", "namespace", "only-here"]);
    let namespaces = kubectl(&other, &["get", "namespaces", "--output", "name"]);
    assert!(namespaces.contains("namespace/spark-jobs"), "{namespaces}");
    assert!(!namespaces.contains("only-here"), "{namespaces}");
    let listed = [
        "--namespace",
        "spark-jobs",
        "get",
        "sparkapplications",
        "--output",
        "name",
    ];
    assert_eq!(kubectl(&other, &listed), "");

    let kubeconfig = one.kubeconfig_path();
    drop(one);
    assert!(!kubeconfig.exists());
    kubectl(&other, &["get", "--raw", "/readyz"]);
}

#[tokio::test]
async fn postgres_answers_and_goes() {
    let server = TemporaryPostgres::start().await.unwrap();
    let query = |url: &str| {
        Command::new("psql")
            .args([url, "-Atc", "select 40 + 2"])
            .output()
            .unwrap()
    };
    let url = server.url();
    assert_eq!(query(&url).stdout, b"42\n");
    drop(server);
    assert!(!query(&url).status.success());
}
