//! Subcommands that people run: the service's own code on a store of their choice.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use moka_core::{
    AttemptName,
    clock::{Clock, SystemClock},
};
use moka_objects::ObjectMeta;

use crate::{
    archive::{GrowingIndex, RawObjects, StreamIndex},
    assembler::{AssemblySettings, EventLogAssembly},
    domain::{completeness::Completeness, keys::KeyTemplate, layout::Step, stream::StreamKind},
    metrics::Metrics,
};

const CACHE_BYTES: usize = 128 << 20;
const CHUNK_BYTES: usize = 8 << 20;
/// So many fit into the cache.
const OBJECTS_AT_A_TIME: usize = 16;
/// The exit code when something is missing.
const GAPS: u8 = 3;

/// Runs a part of log-broker by hand.
#[derive(Debug, Parser)]
#[command(name = "moka-log-broker", version)]
pub struct ByHand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Assembles event logs once and prints a manifest for each.
    Assemble {
        /// The store with the raw records, such as `file:///var/lib/moka/objects`.
        #[arg(long, value_name = "URL")]
        raw: String,
        /// The store that the event logs are written to; `eventlogs/` in it is a History Server's
        /// directory.
        #[arg(long, value_name = "URL")]
        out: String,
        /// Keys of raw objects of event logs.
        #[arg(
            long,
            value_name = "TEMPLATE",
            default_value = "logs/{shard}/{application}/{attempt}/events/{file}/"
        )]
        event_keys: KeyTemplate,
        /// The attempt that logs belong to when their keys do not tell.
        #[arg(long, value_name = "NAME")]
        attempt: Option<AttemptName>,
        /// Whether to give logs without an end one of our own, as after a driver's death.
        #[arg(long)]
        ended: bool,
    },
    /// Writes the source file of a stream as it was on its node to standard output, all its
    /// generations one after another. Standard error has a line for each gap and ends with the
    /// verdict: COMPLETE, TRUNCATED (only the beginning is missing) or LOST. The exit code is 0
    /// when it is complete, 3 when something is missing, and 1 when it could not be read.
    Cat {
        /// The store with the raw records.
        #[arg(long, value_name = "URL")]
        raw: String,
        /// Only objects under this prefix are read; empty for all.
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: String,
        /// The file's path on its node.
        #[arg(long, value_name = "PATH")]
        path: String,
    },
}

/// The subcommand on the command line; `None` when the service itself is meant. Ends the process
/// when the subcommand's options are wrong or ask for help.
pub fn requested() -> Option<ByHand> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let first = arguments.get(1)?.to_str()?;
    ["assemble", "cat"]
        .contains(&first)
        .then(|| ByHand::parse_from(arguments))
}

/// Runs a subcommand.
pub fn run(by_hand: ByHand) -> ExitCode {
    match execute(by_hand.command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "moka-log-broker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Assemble {
                raw,
                out,
                event_keys,
                attempt,
                ended,
            } => assemble(&raw, &out, &event_keys, attempt, ended).await,
            Command::Cat { raw, prefix, path } => cat(&raw, &prefix, &path).await,
        }
    })
}

async fn assemble(
    raw: &str,
    out: &str,
    event_keys: &KeyTemplate,
    attempt: Option<AttemptName>,
    ended: bool,
) -> anyhow::Result<ExitCode> {
    let objects = open(raw).await?;
    let out = moka_objects::open(out).await?;
    let now = SystemClock.now();
    let mut logs: BTreeMap<(AttemptName, String), Vec<ObjectMeta>> = BTreeMap::new();
    for object in objects.list(&event_keys.common_prefix()).await? {
        let Some((told, file)) = event_keys.event_log_of(object.key.as_str()) else {
            continue;
        };
        let name = told
            .or(attempt)
            .context("the keys do not tell the attempt: give --attempt")?;
        logs.entry((name, file)).or_default().push(object);
    }
    let settings = AssemblySettings {
        chunk_bytes: CHUNK_BYTES,
        chunk_interval: Duration::ZERO,
        settle: Duration::ZERO,
        synthetic_end: true,
    };
    for ((name, file), listed) in logs {
        let (out, objects) = (Arc::clone(&out), objects.clone());
        let mut assembly =
            EventLogAssembly::new(name, &file, objects, out, settings, Metrics::default());
        // Nothing else is written meanwhile, so the newest object is old enough.
        let end = listed
            .iter()
            .map(|object| object.modified)
            .max()
            .filter(|_| ended);
        // In the order in which they were put, so that what was read is assembled before more is:
        // the last chunk waits for the last of them.
        let mut known = Vec::new();
        for newer in listed.chunks(OBJECTS_AT_A_TIME) {
            known.extend_from_slice(newer);
            let is_last = known.len() == listed.len();
            assembly.settings.chunk_interval = if is_last {
                Duration::ZERO
            } else {
                Duration::MAX
            };
            assembly
                .advance(known.clone(), end.filter(|_| is_last), now)
                .await?;
        }
        let manifest = assembly
            .manifest()
            .context("another process assembles the same log")?;
        writeln!(io::stdout(), "{}", serde_json::to_string(&manifest)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn cat(raw: &str, prefix: &str, path: &str) -> anyhow::Result<ExitCode> {
    let objects = open(raw).await?;
    // A container's file may have generations, and an event log's has one: both are put in order
    // so.
    let index = StreamIndex::of_path(StreamKind::Container, path);
    let mut growing = GrowingIndex::unsaved(index);
    let listed = objects.list(prefix).await?;
    growing.refresh(&objects, listed, 0, None).await?;
    let index = growing.index();
    anyhow::ensure!(!index.is_empty(), "no record has the path {path}");
    let mut output = io::stdout().lock();
    let mut gaps = Vec::new();
    for step in &index.layout().steps {
        match step {
            Step::Segment(segment) => output.write_all(&index.bytes(&objects, segment).await?)?,
            Step::Gap(gap) => {
                let (start, end) = (gap.start_bytes, gap.end_bytes);
                writeln!(
                    io::stderr(),
                    "bytes {start} to {end} of {} are missing",
                    gap.path
                )?;
                gaps.push(gap.clone());
            }
        }
    }
    output.flush()?;
    let completeness = Completeness::of(gaps, false);
    writeln!(io::stderr(), "{}", completeness.verdict.as_str())?;
    Ok(if completeness.gaps.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(GAPS)
    })
}

async fn open(url: &str) -> anyhow::Result<RawObjects> {
    Ok(RawObjects::new(
        moka_objects::open(url).await?,
        CACHE_BYTES,
        Metrics::default(),
    ))
}
