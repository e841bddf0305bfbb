//! What the API server itself can do: the same object again and again, under other names.

use std::{ops::Range, path::Path};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use kube::{
    Api,
    api::{ListParams, PostParams},
    core::DynamicObject,
};
use moka_kube::spark;
use serde_json::json;
use tokio::time::Instant;

/// A namespace that nobody watches.
const NAMESPACE: &str = "default";

/// Creates copies of an object that was launched, a bounded number at a time and named by
/// `numbers`, and says how many a second.
///
/// # Errors
/// When there is none, or a create fails.
pub(super) async fn creates_per_second(
    kubeconfig: &Path,
    callers: usize,
    numbers: Range<usize>,
) -> Result<f64> {
    let client = moka_kube::client::connect(Some(kubeconfig), None).await?;
    let launched = spark::applications(client.clone(), "spark-jobs");
    let found = launched.list(&ListParams::default()).await?;
    let template = found.items.into_iter().next();
    let template = copy(&template.context("nothing was launched")?);
    let api = spark::applications(client, NAMESPACE);
    let begun = Instant::now();
    let tasks = (0..callers).map(|caller| {
        let (api, template) = (api.clone(), template.clone());
        let numbers = numbers.clone().skip(caller).step_by(callers);
        tokio::task::spawn(async move {
            for number in numbers {
                create(&api, &template, number).await?;
            }
            anyhow::Ok(())
        })
    });
    for caller in try_join_all(tasks).await? {
        caller?;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let count = numbers.len() as f64;
    Ok(count / begun.elapsed().as_secs_f64())
}

async fn create(api: &Api<DynamicObject>, template: &DynamicObject, number: usize) -> Result<()> {
    let mut object = template.clone();
    object.metadata.name = Some(format!("m{number:026}-1"));
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

/// An object as it was when it was sent.
fn copy(object: &DynamicObject) -> DynamicObject {
    let mut copy = object.clone();
    copy.metadata = kube::api::ObjectMeta {
        labels: object.metadata.labels.clone(),
        annotations: object.metadata.annotations.clone(),
        finalizers: object.metadata.finalizers.clone(),
        namespace: Some(NAMESPACE.to_owned()),
        ..kube::api::ObjectMeta::default()
    };
    if let Some(fields) = copy.data.as_object_mut() {
        fields.remove("status");
    }
    copy.data["metadata"] = json!(null);
    if let Some(fields) = copy.data.as_object_mut() {
        fields.remove("metadata");
    }
    copy
}
