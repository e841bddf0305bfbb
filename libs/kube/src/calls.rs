//! Single calls, with errors by what a caller can do.

use std::fmt::Debug;

use kube::{
    Api, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// Creates an object.
///
/// # Errors
/// [`Error::AlreadyExists`] when something has its name.
pub async fn create<K>(api: &Api<K>, object: &K) -> Result<K, Error>
where
    K: Clone + DeserializeOwned + Serialize + Debug + Sync,
{
    Ok(api.create(&PostParams::default(), object).await?)
}

/// Reads an object; `None` when there is none.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn get<K>(api: &Api<K>, name: &str) -> Result<Option<K>, Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    Ok(api.get_opt(name).await?)
}

/// Applies our share of an object on the server's side: the fields in `object` become ours and as
/// given, those that we applied before and left out now go away.
///
/// # Errors
/// [`Error::Conflict`] when another manager owns a field; see [`apply_forced`].
pub async fn apply<K>(api: &Api<K>, name: &str, manager: &str, object: &K) -> Result<K, Error>
where
    K: Clone + DeserializeOwned + Serialize + Debug + Sync,
{
    Ok(api
        .patch(name, &PatchParams::apply(manager), &Patch::Apply(object))
        .await?)
}

/// [`apply`] that takes fields over from other managers.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn apply_forced<K>(
    api: &Api<K>,
    name: &str,
    manager: &str,
    object: &K,
) -> Result<K, Error>
where
    K: Clone + DeserializeOwned + Serialize + Debug + Sync,
{
    Ok(api
        .patch(
            name,
            &PatchParams::apply(manager).force(),
            &Patch::Apply(object),
        )
        .await?)
}

/// Merges a JSON document into an object.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn merge<K>(api: &Api<K>, name: &str, patch: &serde_json::Value) -> Result<K, Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    Ok(api
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?)
}

/// Asks to delete this very object, by its uid, in the background. That it is gone, or that another
/// has its name by now, is fine. Finalizers may keep it for a while.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn delete<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Sync,
{
    delete_with(api, object, DeleteParams::background()).await
}

/// [`delete`] that gives the processes of a pod no time to end, even if they were given some
/// before.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn delete_at_once<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Sync,
{
    let parameters = DeleteParams::background().grace_period(0);
    delete_with(api, object, parameters).await
}

/// [`delete`] of an object of which only name and uid are known.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn delete_uid<K>(api: &Api<K>, name: &str, uid: &str) -> Result<(), Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    delete_named(api, name, Some(uid.to_owned()), DeleteParams::background()).await
}

async fn delete_with<K>(api: &Api<K>, object: &K, parameters: DeleteParams) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Sync,
{
    let Some(name) = object.meta().name.as_deref() else {
        return Ok(());
    };
    delete_named(api, name, object.meta().uid.clone(), parameters).await
}

async fn delete_named<K>(
    api: &Api<K>,
    name: &str,
    uid: Option<String>,
    parameters: DeleteParams,
) -> Result<(), Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    let preconditions = Preconditions {
        uid,
        ..Preconditions::default()
    };
    let parameters = parameters.preconditions(preconditions);
    match api.delete(name, &parameters).await.map_err(Error::from) {
        Ok(_) | Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
