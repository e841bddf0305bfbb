//! What the watches of objects and drivers see.

use std::time::Duration;

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use kube::{
    Api, ResourceExt as _,
    core::{DynamicObject, Object},
};
use moka_core::{AttemptName, labels};
use moka_kube::{WatchEvent, WatchOptions, watch_parts};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{document, is_of, view};
use crate::{
    domain::observation::{DriverView, ObjectView},
    launcher::Sighting,
};

/// A pod without most of its specification: reading that would be most of the work of a watch.
pub(super) type DriverPod = Object<DriverSpec, Value>;

/// What we look at of a driver's specification.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DriverSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_name: Option<String>,
}

/// Watches both for as long as it is polled. Of every document only a view is kept.
pub(super) fn sightings(
    objects: Api<DynamicObject>,
    drivers: Api<DriverPod>,
    relist_interval: Duration,
) -> BoxStream<'static, Sighting> {
    let options = |labels: String| WatchOptions {
        relist_interval: Some(relist_interval),
        ..WatchOptions::labels(labels)
    };
    let objects = watch_parts(objects, options(labels::APPLICATION_ID.to_owned()), object);
    let selector = format!("{},spark-role=driver", labels::APPLICATION_ID);
    let drivers = watch_parts(drivers, options(selector), driver);
    let objects = objects.map(|event| sighting(event, Sighting::Objects, Sighting::Object));
    let drivers = drivers.map(|event| sighting(event, Sighting::Drivers, Sighting::Driver));
    stream::select(objects, drivers).boxed()
}

fn object(mut object: DynamicObject) -> Option<(AttemptName, ObjectView)> {
    // Nobody looks at them.
    object.metadata.managed_fields = None;
    let name = object.name_any().parse().ok()?;
    Some((name, view(&object, name).without_texts()))
}

fn driver(mut pod: DriverPod) -> Option<(AttemptName, DriverView)> {
    // As of an object; they are most of what is left of a pod.
    pod.metadata.managed_fields = None;
    let name = AttemptName::of_pod(&pod.name_any())?;
    let view = DriverView::read(&document(&pod)).without_texts();
    (is_of(&pod, name) && pod.name_any() == name.driver_pod()).then_some((name, view))
}

fn sighting<V>(
    event: WatchEvent<(AttemptName, V)>,
    all: fn(Vec<(AttemptName, V)>) -> Sighting,
    one: fn(AttemptName, Option<V>) -> Sighting,
) -> Sighting {
    match event {
        WatchEvent::Snapshot(views) => all(views),
        WatchEvent::Applied((name, view)) => one(name, Some(view)),
        WatchEvent::Deleted((name, _last)) => one(name, None),
        WatchEvent::Interrupted(error) => Sighting::Interrupted {
            reason: error.to_string(),
        },
    }
}
