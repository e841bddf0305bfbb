//! Letting go of an object.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Error;

/// Others may add and remove finalizers at the same time; each such change costs one more try.
const MAX_ATTEMPTS: u32 = 8;

/// Removes our finalizer from this very object. That it is gone, has no such finalizer, or that
/// another object has its name by now, is fine.
///
/// The patch first tests that the finalizer is where it was seen and that the uid is the same, so
/// that it can remove neither another's finalizer nor that of a later object.
///
/// # Errors
/// [`Error::Conflict`] when the object changed at each try; otherwise as the server says.
pub async fn remove_finalizer<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Sync,
{
    let name = object.name_any();
    let uid = object.uid();
    let mut present = object.clone();
    for _ in 0..MAX_ATTEMPTS {
        let Some(index) = present
            .finalizers()
            .iter()
            .position(|found| found == finalizer)
        else {
            return Ok(());
        };
        match api
            .patch(
                &name,
                &PatchParams::default(),
                &removal(&present, index, finalizer)?,
            )
            .await
        {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            // A failed test is "invalid" (422); a version conflict inside the server is a 409.
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) => {}
            Err(error) => return Err(error.into()),
        }
        match api.get_opt(&name).await? {
            Some(read) if read.uid() == uid => present = read,
            _ => return Ok(()),
        }
    }
    Err(Error::Conflict(format!(
        "the finalizers of {name} kept changing"
    )))
}

/// What an object must be for [`remove_first_finalizer`] to touch it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// Its labels, among others.
    pub labels: &'a [(&'a str, &'a str)],
    /// Its uid; any when absent.
    pub uid: Option<&'a str>,
    /// Whether nobody may have asked to delete it: letting go of it would free its name.
    pub is_kept: bool,
}

impl Expected<'_> {
    /// As tests of a JSON patch, which changes nothing unless all of them hold.
    fn tests(&self) -> Vec<serde_json::Value> {
        let test = |path: &str, value| json!({"op": "test", "path": path, "value": value});
        let labels = self.labels.iter().map(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            test(&format!("/metadata/labels/{key}"), json!(value))
        });
        let uid = self.uid.map(|uid| test("/metadata/uid", json!(uid)));
        // What is absent equals null.
        let is_kept = self
            .is_kept
            .then(|| test("/metadata/deletionTimestamp", json!(null)));
        labels.chain(uid).chain(is_kept).collect()
    }
}

/// Removes our finalizer in a single call from an object that nobody read before, provided that it
/// is what is expected and that the finalizer is its first. `false` when it is not so, or there is
/// no such object: then read it and use [`remove_finalizer`].
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn remove_first_finalizer<K>(
    api: &Api<K>,
    name: &str,
    expected: Expected<'_>,
    finalizer: &str,
) -> Result<bool, Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let path = "/metadata/finalizers/0";
    let mut operations = expected.tests();
    operations.push(json!({"op": "test", "path": path, "value": finalizer}));
    operations.push(json!({"op": "remove", "path": path}));
    let patch = patch(json!(operations))?;
    taken(
        api.patch_metadata(name, &PatchParams::default(), &patch)
            .await,
    )
}

/// Removes a finalizer from this very pod in a single call, wherever it stands among others.
/// `false` when there is no pod of that name, or another one. That it has no such finalizer is
/// fine.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn remove_pod_finalizer(
    api: &Api<Pod>,
    name: &str,
    uid: &str,
    finalizer: &str,
) -> Result<bool, Error> {
    // Only built-in kinds know this kind of patch. The server takes the uid for a condition.
    let patch = Patch::Strategic(json!({
        "metadata": { "uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer] },
    }));
    taken(
        api.patch_metadata(name, &PatchParams::default(), &patch)
            .await,
    )
}

/// Whether a patch found what it asked for.
fn taken<K>(patched: kube::Result<K>) -> Result<bool, Error> {
    match patched {
        Ok(_) => Ok(true),
        // A failed test is "invalid" (422); another uid, or a version conflict inside the server,
        // is a 409.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn removal<K: Resource>(
    object: &K,
    index: usize,
    finalizer: &str,
) -> Result<Patch<serde_json::Value>, Error> {
    let path = format!("/metadata/finalizers/{index}");
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": object.meta().uid},
        {"op": "test", "path": path, "value": finalizer},
        {"op": "remove", "path": path},
    ]);
    patch(operations)
}

fn patch(operations: serde_json::Value) -> Result<Patch<serde_json::Value>, Error> {
    let patch = serde_json::from_value(operations)
        .map_err(|error| Error::Refused(format!("no JSON patch: {error}")))?;
    Ok(Patch::Json(patch))
}
