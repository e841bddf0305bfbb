//! submission dies between intent and create, comes back, dies again right after create, and comes
//! back: one SparkApplication, one driver, and the right end.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use moka_proto::submission::v1::ApplicationState;
use moka_tests_control_plane::{Fault, FaultProxy, Program, Upstream};
use moka_xtask::{
    demo::{applications, follow},
    mesh::{Clients, Endpoints},
};
use tokio::process::{Child, Command};

use crate::{Mesh, fresh_key, submit};

#[tokio::test]
async fn submission_killed_before_and_after_create_runs_one_driver() {
    let mesh = Mesh::get().await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = FaultProxy::start(&upstream(mesh).await).await;
    let mut submission = submission(mesh, &proxy, folder.path()).await;
    let _applications = watch(
        mesh,
        "sparkapplications",
        &folder.path().join("applications"),
    );
    let _pods = watch(mesh, "pods", &folder.path().join("pods"));

    submission.start().await;
    proxy.arm(Fault::BeforeCreate);
    let request = applications::report(&mesh.cluster.spark_image, &fresh_key("crash"));
    let endpoints = Endpoints {
        submission: submission.url(),
        ..mesh.endpoints.clone()
    };
    let clients = Clients::new(&endpoints).unwrap();
    let id = submit(&clients, request).await;

    proxy.struck(1).await;
    submission.kill().await;
    proxy.arm(Fault::AfterCreate);
    submission.start().await;
    proxy.struck(2).await;
    submission.kill().await;
    submission.start().await;

    let ended = follow::to_the_end(&clients, &id, |application| {
        println!("{:?}", application.state());
    });
    let ended = ended.await.unwrap();
    assert_eq!(
        ended.state(),
        ApplicationState::Succeeded,
        "{:?}\n{}",
        ended.attempts,
        submission.log()
    );
    assert_eq!(ended.attempts.len(), 1);

    let name = format!("{id}-1");
    let created = seen(&folder.path().join("applications"), &name);
    assert_eq!(
        created,
        BTreeSet::from([ended.attempts[0].uid.clone()]),
        "SparkApplications {name}"
    );
    let drivers = seen(&folder.path().join("pods"), &format!("{name}-driver"));
    assert_eq!(drivers.len(), 1, "drivers of {name}: {drivers:?}");
}

/// The API server's address and the administrator's certificates, out of the kubeconfig.
async fn upstream(mesh: &Mesh) -> Upstream {
    let view = mesh
        .kubectl(&[
            "config",
            "view",
            "--raw",
            "--flatten",
            "--minify",
            "--output=json",
        ])
        .await;
    let view: serde_json::Value = serde_json::from_str(&view).unwrap();
    let (cluster, user) = (&view["clusters"][0]["cluster"], &view["users"][0]["user"]);
    let decode =
        |value: &serde_json::Value| BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap();
    Upstream {
        url: cluster["server"].as_str().unwrap().to_owned(),
        ca_certificate: decode(&cluster["certificate-authority-data"]),
        identity: [
            decode(&user["client-certificate-data"]),
            decode(&user["client-key-data"]),
        ]
        .concat(),
    }
}

/// A second submission beside the cluster's own, with a database of its own.
async fn submission(mesh: &Mesh, proxy: &FaultProxy, folder: &Path) -> Program {
    let kubeconfig = proxy.kubeconfig(folder);
    let clusters = format!("local={}", kubeconfig.display());
    let database = format!("sqlite:{}", folder.join("submission.db").display());
    let environment = [
        ("MOKA_CLUSTERS", clusters.as_str()),
        ("MOKA_DATABASE_URL", database.as_str()),
        // What a killed process held is free again soon.
        ("MOKA_LEASE_SECONDS", "5"),
        (
            "MOKA_SCHEDULER_ADAPTER_URL",
            mesh.endpoints.scheduler_adapter.as_str(),
        ),
    ];
    Program::new("submission", folder, &environment).await
}

/// Writes name and uid of every object that ever appears into a file.
fn watch(mesh: &Mesh, kind: &str, file: &Path) -> Child {
    Command::new(&mesh.cluster.kubectl)
        .arg("--kubeconfig")
        .arg(&mesh.cluster.kubeconfig)
        .args(["get", kind, "--namespace=spark-jobs", "--watch"])
        .arg("--output=jsonpath={.metadata.name}{\" \"}{.metadata.uid}{\"\\n\"}")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(file).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The uids that objects of this name had.
fn seen(file: &Path, name: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs
        .filter(|(found, _)| *found == name)
        .map(|(_, uid)| uid.to_owned())
        .collect()
}
