//! The commands of `docs/log-broker.md`, run as they stand there by the real grpcurl: they show
//! every call, and answer what the page says.

use std::{collections::BTreeSet, path::Path, time::Duration};

use moka_log_broker::{
    api::LogApi,
    assembler::{AssemblySettings, EventLogAssembly},
    metrics::Metrics,
    retention::{SweepSettings, Sweeper},
    serving::Serving,
};
use moka_proto::logs::v1::log_service_server::LogServiceServer;
use moka_rpc::{Server, ServerOptions};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::{
    raw::{FILE, attempt, grammar, object},
    world::{PATH, World},
};

const PACKAGE: &str = "moka.logs.v1";

/// A command and lines of its answer.
struct Example {
    command: String,
    answer: Vec<String>,
}

impl Example {
    /// `moka.logs.v1.LogService/ReadLog` and its like.
    fn call(&self) -> &str {
        self.command.split_whitespace().next_back().unwrap()
    }

    async fn run(&self, grpcurl: &Path, address: &str) {
        let id = attempt().application_id.to_string();
        let real = |text: &str| text.replace("m…", &id).replace("spark-…", FILE);
        let command = self
            .command
            .replacen("grpcurl", &grpcurl.display().to_string(), 1)
            .replace("LOG_BROKER:7403", address);
        let output = Command::new("sh").args(["-c", &real(&command)]).output();
        let output = output.await.unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        let mut missing = self.answer.iter().map(|line| real(line)).peekable();
        for line in answer.lines() {
            missing.next_if(|expected| is_shown(expected.trim(), line.trim()));
        }
        assert!(
            output.status.success() && missing.peek().is_none(),
            "{command}\nlacks {:?}\n{answer}{}",
            missing.peek(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn examples() -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_console = false;
    for line in include_str!("../../../../docs/log-broker.md").lines() {
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

/// Whether a line of the page is this one of an answer; `…` stands for anything.
fn is_shown(expected: &str, line: &str) -> bool {
    match expected.split_once('…') {
        Some((start, end)) => line.starts_with(start) && line.ends_with(end),
        None => expected == line,
    }
}

/// The application that the page describes.
async fn written() -> World {
    let world = World::new();
    let lines = [
        "2026-11-21T02:00:00Z stdout F begin",
        "2026-11-21T02:00:01Z stderr F OutOfMemoryError",
        "2026-11-21T02:00:02Z stdout F end",
    ];
    world.ship("1", object(PATH, Some("7-1"), 0, &lines)).await;
    let events = [
        "{\"Event\":\"SparkListenerLogStart\"}",
        "{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":1}",
    ];
    let prefix = format!("{}{FILE}/", grammar().events_prefix(attempt()));
    let path = format!("/var/lib/moka/events/{}/{FILE}", attempt());
    let bytes = object(&path, Some("8-1"), 0, &events);
    world.store.put(&format!("{prefix}1.jsonl"), bytes).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let settings = AssemblySettings {
        chunk_bytes: 1 << 20,
        chunk_interval: Duration::ZERO,
        settle: Duration::ZERO,
        synthetic_end: true,
    };
    let objects = world.serving().objects;
    let out = std::sync::Arc::clone(objects.store());
    let metrics = Metrics::default();
    let mut assembly = EventLogAssembly::new(attempt(), FILE, objects, out, settings, metrics);
    let listed = world.store.list(&prefix).await;
    let now = world.store.now();
    assembly.advance(listed, Some(now), now).await.unwrap();
    world
}

#[test]
fn every_call_has_an_example_with_an_answer() {
    let descriptors = FileDescriptorSet::decode(moka_proto::DESCRIPTORS).unwrap();
    let files = descriptors
        .file
        .iter()
        .filter(|file| file.package() == PACKAGE);
    let services = files.flat_map(|file| &file.service);
    let calls: BTreeSet<_> = services
        .flat_map(|service| {
            let calls = service.method.iter();
            calls.map(|call| format!("{PACKAGE}.{}/{}", service.name(), call.name()))
        })
        .collect();
    let examples = examples();
    let answered = examples.iter().filter(|example| !example.answer.is_empty());
    let shown: BTreeSet<_> = answered.map(|example| example.call().to_owned()).collect();
    assert_eq!(shown, calls);
}

#[tokio::test]
async fn every_example_answers_as_the_page_says() {
    let world = written().await;
    let grpcurl = moka_xtask::cluster::grpcurl().await.unwrap();
    let stop = CancellationToken::new();
    let api = LogApi::new(world.serving(), stop.clone());
    let mut registry = prometheus_client::registry::Registry::default();
    let server = Server::new(ServerOptions::default(), &mut registry)
        .add_service(LogServiceServer::new(api))
        .with_reflection(moka_proto::DESCRIPTORS)
        .bind("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let address = server.local_address().to_string();
    let tasks = moka_process::Tasks::default();
    tasks.spawn("server", server.serve(stop));
    let Serving {
        retention,
        applications,
        ..
    } = world.serving();
    let settings = SweepSettings {
        interval: Duration::from_secs(1),
        grace: Duration::from_hours(24),
    };
    let sweeper = Sweeper::new(retention, applications, settings);
    for example in examples() {
        // What was asked for before is done by now.
        sweeper.finish_open().await;
        let run = example.run(&grpcurl, &address);
        let ended = tokio::time::timeout(Duration::from_mins(1), run).await;
        assert!(ended.is_ok(), "{} goes on", example.command);
    }
}
