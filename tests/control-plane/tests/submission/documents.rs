//! The commands of `docs/api.md`, run as they stand there by the real grpcurl: they show every
//! call, and answer what the page says.

use std::{collections::BTreeSet, path::Path, process::Stdio, time::Duration};

use moka_client::v1::ApplicationState;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

use crate::{Database, Installation};

const DOCUMENT: &str = "docs/api.md";
const PACKAGE: &str = "moka.submission.v1";
/// How long a command may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A command and the lines under it, which are a part of its answer.
#[derive(Debug)]
struct Example {
    command: String,
    answer: Vec<String>,
}

impl Example {
    /// `moka.submission.v1.SubmissionService/GetApplication` and its like.
    fn call(&self) -> &str {
        self.command.split_whitespace().next_back().unwrap()
    }

    /// The same with the addresses and names of a test in place of the page's.
    fn with(&self, grpcurl: &Path, address: &str, id: &str) -> Self {
        let real = |text: &String| text.replace("root.demo", "root.search").replace("m…", id);
        let command = self
            .command
            .replacen("grpcurl", &grpcurl.display().to_string(), 1)
            .replace("SUBMISSION:7401", address);
        Self {
            command: real(&command),
            answer: self.answer.iter().map(real).collect(),
        }
    }

    /// Runs the command until its answer has every line of the page, in that order, and gives the
    /// answer. A watch is then stopped; anything else must come to a good end.
    async fn run(&self) -> String {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {}", self.command)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut missing = self.answer.iter().peekable();
        let mut answer = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            missing.next_if(|expected| is_shown(expected.trim(), line.trim()));
            answer.push_str(&line);
            answer.push('\n');
            if missing.peek().is_none() && self.call().ends_with("/WatchApplications") {
                return answer;
            }
        }
        let mut complaint = String::new();
        let mut errors = child.stderr.take().unwrap();
        errors.read_to_string(&mut complaint).await.unwrap();
        assert!(
            child.wait().await.unwrap().success() && missing.peek().is_none(),
            "{}\nlacks {:?}\n{answer}{complaint}",
            self.command,
            missing.collect::<Vec<_>>()
        );
        answer
    }
}

fn examples() -> Vec<Example> {
    let file = moka_xtask::workspace::root().join(DOCUMENT);
    let text = std::fs::read_to_string(file).unwrap();
    let mut examples: Vec<Example> = Vec::new();
    let mut is_console = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if line.starts_with("grpcurl ") && is_console {
            examples.push(Example {
                command: line.to_owned(),
                answer: Vec::new(),
            });
        } else if is_console {
            examples.last_mut().unwrap().answer.push(line.to_owned());
        }
    }
    examples
}

/// Every call that the protos have.
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

/// Whether a line of the page is this one of an answer; `…` stands for anything.
fn is_shown(expected: &str, line: &str) -> bool {
    match expected.split_once('…') {
        Some((start, end)) => line.starts_with(start) && line.ends_with(end),
        None => expected == line,
    }
}

#[test]
fn every_call_has_an_example_with_an_answer() {
    let examples = examples();
    let shown: BTreeSet<_> = examples
        .iter()
        .filter(|example| !example.answer.is_empty())
        .map(|example| example.call().to_owned())
        .collect();
    assert_eq!(shown, every_call());
}

#[tokio::test]
async fn every_example_answers_as_the_page_says() {
    let installation = Installation::start(Database::Sqlite).await;
    // The queues are known after this.
    installation.submit("the first").await;
    let address = installation.submission.url().replace("http://", "");
    let grpcurl = moka_xtask::cluster::grpcurl().await.unwrap();
    let mut id = String::new();
    for example in examples() {
        match example.call().rsplit('/').next() {
            Some("GetApplication") => {
                installation.reaches(&id, ApplicationState::Submitted).await;
            }
            Some("RetryApplication") => {
                installation.reaches(&id, ApplicationState::Cancelled).await;
            }
            _ => {}
        }
        let example = example.with(&grpcurl, &address, &id);
        let answer = timeout(PATIENCE, example.run()).await;
        let answer = answer.unwrap_or_else(|_| panic!("{} goes on", example.command));
        if example.call().ends_with("/SubmitApplication") {
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let text = answer["application"]["applicationId"].as_str();
            text.unwrap().clone_into(&mut id);
        }
    }
}
