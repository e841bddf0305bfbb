//! The commands in the documents are run as they stand there, with real addresses and a real id.

use tokio::process::Command;

use crate::Mesh;

const DOCUMENT: &str = "docs/operations.md";

/// Runs every `grpcurl` command of the operations page for an application that has ended.
pub(crate) async fn commands_work(mesh: &Mesh, application_id: &str) {
    let text = std::fs::read_to_string(moka_xtask::workspace::root().join(DOCUMENT)).unwrap();
    let commands: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("grpcurl "))
        .collect();
    assert!(commands.len() >= 5, "{DOCUMENT} shows only {commands:?}");
    for command in commands {
        let real = with_real_names(mesh, command, application_id);
        let output = Command::new("sh")
            .arg("-c")
            .arg(&real)
            .output()
            .await
            .unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && answer.len() > 10,
            "{command}: {answer}{complaint}"
        );
    }
}

fn with_real_names(mesh: &Mesh, command: &str, application_id: &str) -> String {
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let endpoints = &mesh.endpoints;
    command
        .replacen("grpcurl", &mesh.cluster.grpcurl.display().to_string(), 1)
        .replace("m…", application_id)
        .replace("SUBMISSION:7401", &address(&endpoints.submission))
        .replace(
            "SCHEDULER_ADAPTER:7402",
            &address(&endpoints.scheduler_adapter),
        )
        .replace("LOG_BROKER:7403", &address(&endpoints.log_broker))
        .replace("HISTORY_INDEX:7404", &address(&endpoints.history_index))
}
