//! What this machine can do at all: the same changes at the same rate, told by a bare watch, while
//! submission is not there yet.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::PostParams};
use serde_json::json;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use super::{
    CHANGES_PER_SECOND, CONCURRENCY,
    bare_watch::BareWatch,
    cluster::{pod, write_driver_status},
    observer::Change,
};

/// Pods that are none of submission's; each starts and ends.
const PODS: usize = 1000;
const LABEL: &str = "bench";
/// For what was changed last.
const PATIENCE: Duration = Duration::from_secs(10);

/// How late a bare watch sees changes.
pub(super) async fn late_ms(pods: &Api<Pod>) -> Result<f64> {
    let names: Vec<_> = (0..PODS).map(|number| format!("bench-{number}")).collect();
    for name in &names {
        let pod = pod(name, &json!({ (LABEL): "machine" }))?;
        pods.create(&PostParams::default(), &pod).await?;
    }
    let watch = BareWatch::start(pods.clone(), LABEL);
    sleep(PATIENCE).await;
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    let mut ticks = interval(Duration::from_micros(1_000_000 / CHANGES_PER_SECOND));
    let mut patches = JoinSet::new();
    for change in [Change::Started, Change::Ended] {
        for name in names.clone() {
            ticks.tick().await;
            let permit = Arc::clone(&permits).acquire_owned().await?;
            let pods = pods.clone();
            patches.spawn(async move {
                write_driver_status(&pods, &name, change).await?;
                drop(permit);
                Ok::<_, anyhow::Error>(((name, change), Instant::now()))
            });
        }
    }
    let mut made = Vec::with_capacity(2 * PODS);
    while let Some(patched) = patches.join_next().await {
        made.push(patched??);
    }
    sleep(PATIENCE).await;
    let seen = watch.finish();
    let latency = |(key, made): &((_, Change), Instant)| {
        Some((seen.get(key)?.saturating_duration_since(*made), key.1))
    };
    let mut latencies: Vec<_> = made.iter().filter_map(latency).collect();
    ensure!(latencies.len() == made.len(), "not every change was seen");
    latencies.sort_unstable();
    Ok(super::p99_ms(latencies.iter()))
}
