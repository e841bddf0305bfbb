//! `cargo xtask mesh up`: the services as processes of this machine, against the local cluster,
//! with a folder as the object store. For a quick inner loop: a change is one build and one `up`
//! away.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use tokio::process::Command;

use super::images::target_folder;
use crate::{
    cluster::{
        Cache, ClusterInfo, Daemon, Probe, State, logged, step, stop_daemon, wait_for_daemon,
    },
    workspace,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// A service that runs on its own, and its admin port. metrics-exporter lives in the drivers' pods.
const SERVICES: [(&str, u16); 5] = [
    ("scheduler-adapter", 7502),
    ("submission", 7501),
    ("log-shipper", 7506),
    ("log-broker", 7503),
    ("history-index", 7504),
];

/// Builds the services and starts those whose program or options changed.
///
/// # Errors
/// When one does not compile or is not ready in a minute.
pub(super) async fn up(cluster: &ClusterInfo) -> Result<()> {
    let cache = Cache::locate()?;
    let programs = step("building the services", compile(&cache)).await?;
    let state = state(&cache);
    std::fs::create_dir_all(state.root())?;
    step("starting the services", async {
        for (name, admin_port) in SERVICES {
            let daemon = daemon(name, &programs, &state, cluster);
            daemon.ensure(&state).await?;
            let probe = Probe::Http(format!("http://127.0.0.1:{admin_port}/readyz"));
            wait_for_daemon(&state, name, &probe, PATIENCE).await?;
        }
        Ok(())
    })
    .await?;
    println!(
        "submission answers on 127.0.0.1:7401; state and logs are in {}",
        state.root().display()
    );
    Ok(())
}

/// Stops the services. What they wrote stays.
///
/// # Errors
/// When a process does not end.
pub(super) async fn down() -> Result<()> {
    let state = state(&Cache::locate()?);
    for (name, _) in SERVICES {
        stop_daemon(&state, name).await?;
    }
    Ok(())
}

fn state(cache: &Cache) -> State {
    State::at(cache.root().join("mesh"))
}

async fn compile(cache: &Cache) -> Result<PathBuf> {
    let target = target_folder();
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--locked"]);
    for (name, _) in SERVICES {
        cargo.args(["--package", &format!("moka-{name}")]);
    }
    logged(&mut cargo, &cache.build_log("services-debug")).await?;
    Ok(target.join("debug"))
}

fn daemon(name: &'static str, programs: &Path, state: &State, cluster: &ClusterInfo) -> Daemon {
    let program = programs.join(format!("moka-{name}"));
    let file = |name: &str| state.root().join(name).display().to_string();
    let objects = ("MOKA_OBJECTS_URL", format!("file://{}", file("objects")));
    let kubeconfig = (
        "MOKA_CLUSTERS",
        format!("local={}", cluster.kubeconfig.display()),
    );
    let environment = match name {
        "submission" => {
            vec![
                kubeconfig,
                (
                    "MOKA_DATABASE_URL",
                    format!("sqlite:{}", file("submission.db")),
                ),
            ]
        }
        "scheduler-adapter" => vec![("MOKA_CLUSTERS", format!("local={}", cluster.yunikorn_url))],
        "log-broker" => vec![kubeconfig, objects],
        "history-index" => {
            vec![
                objects,
                (
                    "MOKA_DATABASE_URL",
                    format!("sqlite:{}", file("history-index.db")),
                ),
            ]
        }
        _ => vec![objects, ("MOKA_STATE_DIR", file("log-shipper"))],
    };
    Daemon {
        name,
        settings: vec![program.clone()],
        program,
        arguments: Vec::new(),
        environment: environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}
