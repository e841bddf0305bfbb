//! Letting go of an attempt's object and driver.

use std::fmt::Debug;

use kube::{Api, Resource, ResourceExt as _};
use moka_core::labels;
use moka_kube::finalizer::{
    Expected, remove_finalizer, remove_first_finalizer, remove_pod_finalizer,
};
use serde::de::DeserializeOwned;

use super::{SparkOperator, is_of, view, within};
use crate::{
    domain::observation::Owner,
    launcher::{Result, Target},
};

/// Lets go of the object and the driver, as far as they are there and the attempt's. Returns how
/// many finalizers went.
pub(super) async fn whatever_there_is(cluster: &SparkOperator, target: &Target) -> Result<u64> {
    Ok(driver(cluster, target).await? + object(cluster, target).await?)
}

/// Lets go of this very driver, and of this very object unless somebody wants to delete it: two
/// calls, and no reading. `false` when something is not so.
pub(super) async fn ended(
    cluster: &SparkOperator,
    target: &Target,
    driver_uid: &str,
) -> Result<bool> {
    let Some(uid) = &target.uid else {
        return Ok(false);
    };
    let pods = cluster.pods(&target.namespace);
    let driver = target.name.driver_pod();
    let finalizer = labels::OUTCOME_FINALIZER;
    if !within(remove_pod_finalizer(&pods, &driver, driver_uid, finalizer)).await? {
        return Ok(false);
    }
    let object = Expected {
        uid: Some(uid),
        is_kept: true,
        ..Expected::default()
    };
    let objects = cluster.objects(&target.namespace);
    first(&objects, &target.name.to_string(), target, object).await
}

async fn driver(cluster: &SparkOperator, target: &Target) -> Result<u64> {
    let api = cluster.pods(&target.namespace);
    let name = target.name.driver_pod();
    if first(&api, &name, target, Expected::default()).await? {
        return Ok(1);
    }
    match cluster.driver_pod(target).await? {
        Some(pod) if is_of(&pod, target.name) && has_finalizer(&pod) => {
            within(remove_finalizer(&api, &pod, labels::OUTCOME_FINALIZER)).await?;
            Ok(1)
        }
        _ => Ok(0),
    }
}

async fn object(cluster: &SparkOperator, target: &Target) -> Result<u64> {
    let api = cluster.objects(&target.namespace);
    let name = target.name.to_string();
    if first(&api, &name, target, Expected::default()).await? {
        return Ok(1);
    }
    match cluster.object(target).await? {
        Some(object)
            if view(&object, target.name).owner != Owner::Stranger && has_finalizer(&object) =>
        {
            within(remove_finalizer(&api, &object, labels::OUTCOME_FINALIZER)).await?;
            Ok(1)
        }
        _ => Ok(0),
    }
}

/// One call where all is as we made it, which is nearly always.
async fn first<K>(api: &Api<K>, name: &str, target: &Target, expected: Expected<'_>) -> Result<bool>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let id = target.name.application_id.to_string();
    let number = target.name.number.to_string();
    let own = [
        (labels::APPLICATION_ID, id.as_str()),
        (labels::ATTEMPT, number.as_str()),
    ];
    let expected = Expected {
        labels: &own,
        ..expected
    };
    within(remove_first_finalizer(
        api,
        name,
        expected,
        labels::OUTCOME_FINALIZER,
    ))
    .await
}

fn has_finalizer<K: Resource>(object: &K) -> bool {
    let mut finalizers = object.finalizers().iter();
    finalizers.any(|one| one == labels::OUTCOME_FINALIZER)
}
