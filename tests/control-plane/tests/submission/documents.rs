//! The commands of `docs/api.md`, run as they stand there by the real grpcurl.

use std::collections::BTreeSet;

use moka_client::v1::ApplicationState;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::process::Command;

use crate::{Database, Installation};

const DOCUMENT: &str = "docs/api.md";
const PACKAGE: &str = "moka.submission.v1";

/// `moka.submission.v1.SubmissionService/GetApplication` and its like.
fn every_call() -> BTreeSet<String> {
    let descriptors = FileDescriptorSet::decode(moka_proto::DESCRIPTORS).unwrap();
    let files = descriptors
        .file
        .iter()
        .filter(|file| file.package() == PACKAGE);
    let services = files.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            let calls = service.method.iter();
            calls.map(|call| format!("{PACKAGE}.{}/{}", service.name(), call.name()))
        })
        .collect()
}

fn commands() -> Vec<String> {
    let file = moka_xtask::workspace::root().join(DOCUMENT);
    let text = std::fs::read_to_string(file).unwrap();
    let commands = text.lines().filter(|line| line.starts_with("grpcurl "));
    commands.map(str::to_owned).collect()
}

#[test]
fn every_call_has_an_example() {
    let shown: BTreeSet<_> = commands()
        .iter()
        .filter_map(|command| Some(command.split_whitespace().next_back()?.to_owned()))
        .collect();
    let missing: Vec<_> = every_call().difference(&shown).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[tokio::test]
async fn every_example_works_as_it_stands_there() {
    let installation = Installation::start(Database::Sqlite).await;
    // The queues are known after this.
    installation.submit("the first").await;
    let address = installation.submission.url().replace("http://", "");
    let grpcurl = moka_xtask::cluster::grpcurl().await.unwrap();
    let grpcurl = grpcurl.display().to_string();
    let mut id = String::new();
    for command in commands() {
        if command.ends_with("/RetryApplication") {
            installation.reaches(&id, ApplicationState::Cancelled).await;
        }
        let real = command
            .replacen("grpcurl", &grpcurl, 1)
            .replace("SUBMISSION:7401", &address)
            .replace("root.demo", "root.search")
            .replace("m…", &id);
        // A watch goes on until its reader has enough.
        let is_watch = command.ends_with("/WatchApplications");
        let shell = if is_watch {
            format!("{real} | head -n 1")
        } else {
            real
        };
        let output = Command::new("sh")
            .args(["-c", &shell])
            .output()
            .await
            .unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && answer.starts_with('{'),
            "{command}: {answer}{complaint}"
        );
        if command.ends_with("/SubmitApplication") {
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let text = answer["application"]["applicationId"].as_str();
            text.unwrap().clone_into(&mut id);
        }
    }
}
