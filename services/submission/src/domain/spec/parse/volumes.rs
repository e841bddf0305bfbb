//! Volumes and where they are mounted.

use std::ops::RangeInclusive;

use moka_proto::submission::v1::{
    EmptyDirectory, Volume as WireVolume, VolumePods, volume::Source,
};
use moka_rpc::Violations;

use super::text::{
    URL_BYTES, at_most, distinct, dns_name, is_clean_absolute_path, is_clean_relative_path,
};
use crate::domain::spec::{Volume, VolumeSource};

pub(super) const MOST_VOLUMES: usize = 32;
const DIRECTORY_BYTES: RangeInclusive<i64> = 0..=16 << 40;
const RESERVED_NAME_PREFIXES: [&str; 2] = ["moka-", "spark-"];
/// Volumes that Spark adds to its pods under these names.
const RESERVED_NAMES: [&str; 2] = ["pod-template-volume", "hadoop-properties"];
/// Nothing may be mounted below these.
const RESERVED_TREES: [&str; 3] = ["/var/log/moka", "/opt/moka", "/var/run/secrets"];
/// Where Spark mounts volumes of its own.
const RESERVED_PATHS: [&str; 2] = ["/opt/spark/conf", "/opt/spark/pod-template"];

pub(super) fn parse(violations: &mut Violations, volumes: &[WireVolume]) -> Vec<Volume> {
    const FIELD: &str = "spec.volumes";
    at_most(violations, FIELD, volumes.len(), MOST_VOLUMES);
    let names = volumes.iter().map(|volume| &volume.name);
    distinct(violations, &format!("{FIELD}.name"), names);
    let paths = volumes.iter().map(|volume| &volume.mount_path);
    distinct(violations, &format!("{FIELD}.mount_path"), paths);
    let all = volumes.iter().take(MOST_VOLUMES).enumerate();
    all.filter_map(|(index, volume)| one(violations, &format!("{FIELD}[{index}]"), volume))
        .collect()
}

fn one(violations: &mut Violations, path: &str, volume: &WireVolume) -> Option<Volume> {
    let WireVolume {
        name,
        mount_path,
        sub_path,
        read_only,
        pods,
        source,
    } = volume;
    check_name(violations, &format!("{path}.name"), name);
    check_mount_path(violations, &format!("{path}.mount_path"), mount_path);
    let field = format!("{path}.sub_path");
    violations.max_length(&field, sub_path, URL_BYTES);
    if !sub_path.is_empty() && !is_clean_relative_path(sub_path) {
        violations.add(field, "must be a relative path without '.' and '..'");
    }
    let (in_driver, in_executors) = match VolumePods::try_from(*pods) {
        Ok(VolumePods::Unspecified) => (true, true),
        Ok(VolumePods::Driver) => (true, false),
        Ok(VolumePods::Executors) => (false, true),
        Err(_) => {
            violations.add(format!("{path}.pods"), "must be DRIVER or EXECUTORS");
            return None;
        }
    };
    Some(Volume {
        name: name.clone(),
        mount_path: mount_path.clone(),
        sub_path: sub_path.clone(),
        read_only: *read_only,
        in_driver,
        in_executors,
        source: source_of(violations, path, source.as_ref())?,
    })
}

fn check_name(violations: &mut Violations, field: &str, name: &str) {
    violations.dns_label(field, name);
    let reserved = RESERVED_NAMES.contains(&name)
        || RESERVED_NAME_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if reserved {
        violations.add(field, "is reserved for Spark or the platform");
    }
}

fn check_mount_path(violations: &mut Violations, field: &str, mount_path: &str) {
    violations.max_length(field, mount_path, URL_BYTES);
    if !is_clean_absolute_path(mount_path) {
        let rule =
            "must be an absolute path other than '/', without '.', '..', ':' and empty parts";
        violations.add(field, rule);
    } else if RESERVED_PATHS.contains(&mount_path)
        || RESERVED_TREES.iter().any(|tree| is_below(mount_path, tree))
    {
        violations.add(field, "is reserved for Spark or the platform");
    }
}

/// Whether a clean path is a directory or something in it.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn source_of(
    violations: &mut Violations,
    path: &str,
    source: Option<&Source>,
) -> Option<VolumeSource> {
    let mut named = |kind: &str, name: &String| {
        dns_name(violations, &format!("{path}.{kind}"), name);
        name.clone()
    };
    Some(match source {
        Some(Source::ConfigMap(name)) => VolumeSource::ConfigMap(named("config_map", name)),
        Some(Source::Secret(name)) => VolumeSource::Secret(named("secret", name)),
        Some(Source::PersistentVolumeClaim(name)) => {
            VolumeSource::PersistentVolumeClaim(named("persistent_volume_claim", name))
        }
        Some(Source::EmptyDirectory(EmptyDirectory {
            size_limit_bytes,
            in_memory,
        })) => {
            let field = format!("{path}.empty_directory.size_limit_bytes");
            violations.range(&field, size_limit_bytes, &DIRECTORY_BYTES);
            VolumeSource::EmptyDirectory {
                size_limit_bytes: size_limit_bytes.unsigned_abs(),
                in_memory: *in_memory,
            }
        }
        Some(Source::HostPath(directory)) => {
            let field = format!("{path}.host_path");
            violations.max_length(&field, directory, URL_BYTES);
            if !is_clean_absolute_path(directory) {
                violations.add(field, "must be an absolute path other than '/'");
            }
            VolumeSource::HostPath(directory.clone())
        }
        None => {
            violations.add(format!("{path}.source"), "must be set");
            return None;
        }
    })
}
