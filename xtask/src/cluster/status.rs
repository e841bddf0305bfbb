//! What runs, and whether it is ready.

use anyhow::{Result, bail};
use futures::future::join_all;

use super::{
    NODE_NAME,
    cache::State,
    components, daemon,
    kubectl::Kubectl,
    platform::{S3, Service, YUNIKORN},
};

/// Prints one line for each component.
///
/// # Errors
/// When one is not ready.
pub(crate) async fn print(state: &State, kubectl: &Kubectl) -> Result<()> {
    let mut rows: Vec<(String, String, bool)> =
        join_all(components::NAMES.map(|name| component(state, kubectl, name))).await;
    let node = [
        "wait",
        "--for=condition=Ready",
        &format!("node/{NODE_NAME}"),
        "--timeout=1s",
    ];
    let (node, yunikorn, s3) = tokio::join!(
        async { kubectl.probe(&node).passes().await },
        service(kubectl, YUNIKORN),
        service(kubectl, S3),
    );
    rows.push((format!("node {NODE_NAME}"), "-".to_owned(), node));
    rows.push((YUNIKORN.shown.to_owned(), "pod".to_owned(), yunikorn));
    rows.push((S3.shown.to_owned(), "pod".to_owned(), s3));
    println!("{:<26}{:>9}  ready", "component", "process");
    for (name, process, ready) in &rows {
        println!(
            "{name:<26}{process:>9}  {}",
            if *ready { "yes" } else { "no" }
        );
    }
    let waiting: Vec<&str> = rows
        .iter()
        .filter(|row| !row.2)
        .map(|(name, ..)| name.as_str())
        .collect();
    if !waiting.is_empty() {
        bail!("not ready: {}", waiting.join(", "));
    }
    Ok(())
}

async fn component(state: &State, kubectl: &Kubectl, name: &str) -> (String, String, bool) {
    let Some(id) = daemon::process_id(state, name) else {
        return (name.to_owned(), "-".to_owned(), false);
    };
    let ready = components::probe(name, kubectl).passes().await;
    (name.to_owned(), id.to_string(), ready)
}

async fn service(kubectl: &Kubectl, service: Service) -> bool {
    match service.probe(kubectl).await {
        Ok(probe) => probe.passes().await,
        Err(_) => false,
    }
}
