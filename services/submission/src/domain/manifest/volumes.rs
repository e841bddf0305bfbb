//! Volumes and where they are mounted.

use serde_json::{Value, json};

use super::{
    super::{
        launch_spec::LaunchSpec,
        spec::{Volume, VolumeSource},
    },
    Launch, ManifestSettings,
    settings::EVENT_LOG_DIRECTORY,
};

const EVENT_LOG_VOLUME: &str = "moka-event-logs";

/// A volume of a pod, and its mount in Spark's container.
pub(super) struct Mounted {
    pub(super) volume: Value,
    pub(super) mount: Value,
}

/// The event log's directory, and the caller's volumes.
pub(super) fn of_driver(launch: &Launch<'_>, settings: &ManifestSettings) -> Vec<Mounted> {
    let event_logs = Mounted {
        volume: json!({
            "name": EVENT_LOG_VOLUME,
            "hostPath": { "path": settings.event_log_host_path, "type": "DirectoryOrCreate" },
        }),
        mount: json!({
            "name": EVENT_LOG_VOLUME,
            "mountPath": EVENT_LOG_DIRECTORY,
            // A directory of its own: attempts cannot see one another's files.
            "subPath": launch.name.to_string(),
        }),
    };
    let own = launch.spec.volumes.iter().filter(|one| one.in_driver);
    std::iter::once(event_logs)
        .chain(own.map(mounted))
        .collect()
}

/// The caller's volumes.
pub(super) fn of_executors(spec: &LaunchSpec) -> Vec<Mounted> {
    let own = spec.volumes.iter().filter(|one| one.in_executors);
    own.map(mounted).collect()
}

fn mounted(volume: &Volume) -> Mounted {
    let mut mount = json!({ "name": volume.name, "mountPath": volume.mount_path });
    if !volume.sub_path.is_empty() {
        mount["subPath"] = json!(volume.sub_path);
    }
    if volume.read_only {
        mount["readOnly"] = json!(true);
    }
    let (kind, source) = source(&volume.source);
    Mounted {
        volume: json!({ "name": volume.name, (kind): source }),
        mount,
    }
}

fn source(source: &VolumeSource) -> (&'static str, Value) {
    match source {
        VolumeSource::EmptyDirectory {
            size_limit_bytes,
            in_memory,
        } => {
            let mut directory = json!({});
            if *size_limit_bytes > 0 {
                directory["sizeLimit"] = json!(size_limit_bytes.to_string());
            }
            if *in_memory {
                directory["medium"] = json!("Memory");
            }
            ("emptyDir", directory)
        }
        VolumeSource::ConfigMap(name) => ("configMap", json!({ "name": name })),
        VolumeSource::Secret(name) => ("secret", json!({ "secretName": name })),
        VolumeSource::PersistentVolumeClaim(name) => {
            ("persistentVolumeClaim", json!({ "claimName": name }))
        }
        // A path that is not there is an error of the pod, and no new directory of root's.
        VolumeSource::HostPath(path) => ("hostPath", json!({ "path": path, "type": "Directory" })),
    }
}
