//! What the only node of this machine's cluster holds: it is this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use moka_proto::submission::v1::{ApplicationType, SubmitApplicationRequest};
use moka_xtask::demo::applications;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::Mesh;

const PATIENCE: Duration = Duration::from_mins(4);
const POLL: Duration = Duration::from_millis(100);
/// Where the kubelet keeps logs.
const POD_LOGS: &str = "/var/log/pods";

/// An application of statements.
pub(crate) fn statements(image: &str, key: &str, texts: &[&str]) -> SubmitApplicationRequest {
    let mut request = applications::report(image, key);
    let spec = request.spec.get_or_insert_default();
    spec.set_type(ApplicationType::Sql);
    spec.main_application_file = String::new();
    spec.sql_statements = texts.iter().map(|text| (*text).to_owned()).collect();
    request
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        sleep(POLL).await;
    }
}

/// The folders and files in a folder; none while it is not there.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The folder of a container's log files, once its pod has one.
pub(crate) fn container_logs(pod: &str, container: &str) -> Option<PathBuf> {
    let is_pods = |path: &PathBuf| path.to_string_lossy().contains(&format!("_{pod}_"));
    let folder = entries(Path::new(POD_LOGS)).into_iter().find(is_pods);
    folder.map(|folder| folder.join(container))
}

/// Ends the processes of a program in a pod by SIGKILL.
pub(crate) async fn kill(mesh: &Mesh, pod: &str, program: &str) {
    let uid = [
        "get",
        "pod",
        pod,
        "--namespace=spark-jobs",
        "--output=jsonpath={.metadata.uid}",
    ];
    let uid = mesh.kubectl(&uid).await;
    // systemd's way to write it has no dashes.
    let names = [uid.clone(), uid.replace('-', "_")];
    let read = |process: &Path, file| fs::read_to_string(process.join(file)).unwrap_or_default();
    let processes = entries(Path::new("/proc")).into_iter().filter(|process| {
        let group = read(process, "cgroup");
        names.iter().any(|name| group.contains(name)) && read(process, "comm").trim() == program
    });
    let mut count = 0;
    for process in processes {
        let id = process.file_name().unwrap_or_default();
        let killed = Command::new("kill").args(["-s", "KILL"]).arg(id).status();
        assert!(killed.await.unwrap().success());
        count += 1;
    }
    assert!(count > 0, "no process {program} runs in {pod}");
}
