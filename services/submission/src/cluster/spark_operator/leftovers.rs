//! Services and config maps that outlived their drivers.

use std::fmt::Debug;

use kube::{Api, Client, Resource, ResourceExt as _, api::ListParams};
use moka_core::AttemptName;
use moka_kube::{
    calls,
    k8s_openapi::{
        NamespaceResourceScope,
        api::core::v1::{ConfigMap, Pod, Service},
    },
};
use serde::de::DeserializeOwned;

use super::within;
use crate::launcher::{Leftover, LeftoverKind, Result};

/// Objects in one answer: a config map may be large.
const PAGE_LIMIT: u32 = 200;

/// Finds what bears an attempt's name while that attempt has no driver any more. Kubernetes itself
/// deletes what has the driver's pod as its owner; what is left was made by a `spark-submit` that
/// died before it could say so.
pub(super) async fn list(client: &Client, namespace: &str) -> Result<Vec<Leftover>> {
    let mut found = named::<Service>(client, namespace, LeftoverKind::Service).await?;
    found.extend(named::<ConfigMap>(client, namespace, LeftoverKind::ConfigMap).await?);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut left = Vec::new();
    for one in found {
        let driver = one.attempt.driver_pod();
        if within(calls::get(&pods, &driver)).await?.is_none() {
            left.push(one);
        }
    }
    Ok(left)
}

pub(super) async fn remove(client: &Client, namespace: &str, leftover: &Leftover) -> Result<()> {
    match leftover.kind {
        LeftoverKind::Service => delete::<Service>(client, namespace, leftover).await,
        LeftoverKind::ConfigMap => delete::<ConfigMap>(client, namespace, leftover).await,
    }
}

async fn named<K>(client: &Client, namespace: &str, kind: LeftoverKind) -> Result<Vec<Leftover>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut found = Vec::new();
    let mut parameters = ListParams::default().limit(PAGE_LIMIT);
    loop {
        let list = async { api.list(&parameters).await.map_err(moka_kube::Error::from) };
        let page = within(list).await?;
        found.extend(page.items.iter().filter_map(|one| leftover(one, kind)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}

fn leftover<K: Resource>(object: &K, kind: LeftoverKind) -> Option<Leftover> {
    let name = object.name_any();
    Some(Leftover {
        attempt: AttemptName::of_pod(&name)?,
        kind,
        uid: object.uid()?,
        name,
    })
}

async fn delete<K>(client: &Client, namespace: &str, leftover: &Leftover) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + Sync,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    within(calls::delete_uid(&api, &leftover.name, &leftover.uid)).await
}
