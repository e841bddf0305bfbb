//! Limits of volumes.

use moka_proto::submission::v1 as wire;
use wire::{VolumePods, volume::Source};

use super::{check_number, faults, refused};

fn volume(name: &str, mount_path: &str, source: Source) -> wire::Volume {
    wire::Volume {
        name: name.to_owned(),
        mount_path: mount_path.to_owned(),
        source: Some(source),
        ..wire::Volume::default()
    }
}

fn claim() -> Source {
    Source::PersistentVolumeClaim("data".to_owned())
}

#[test]
fn volumes_hold_to_the_unit() {
    check_number("spec.volumes", 32, 33, |spec, count| {
        let volume = |n| volume(&format!("v{n}"), &format!("/mnt/{n}"), claim());
        spec.volumes = (0..count).map(volume).collect();
    });
    let path = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
    check_number("spec.volumes[0].mount_path", 1024, 1025, |spec, bytes| {
        spec.volumes = vec![volume("data", &path(bytes), claim())];
    });
    check_number("spec.volumes[0].sub_path", 1024, 1025, |spec, bytes| {
        let sub_path = "x".repeat(bytes);
        spec.volumes = vec![wire::Volume {
            sub_path,
            ..volume("data", "/mnt", claim())
        }];
    });
    check_number("spec.volumes[0].host_path", 1024, 1025, |spec, bytes| {
        spec.volumes = vec![volume("data", "/mnt", Source::HostPath(path(bytes)))];
    });
    let directory = "spec.volumes[0].empty_directory.size_limit_bytes";
    for (at, past) in [(0, -1), (16 << 40, (16 << 40) + 1)] {
        check_number(directory, at, past, |spec, size_limit_bytes| {
            let source = Source::EmptyDirectory(wire::EmptyDirectory {
                size_limit_bytes,
                in_memory: false,
            });
            spec.volumes = vec![volume("data", "/mnt", source)];
        });
    }
    check_number("spec.volumes[0].name", 63, 64, |spec, bytes| {
        spec.volumes = vec![volume(&"x".repeat(bytes), "/mnt", claim())];
    });
}

#[test]
fn volumes_that_would_be_in_the_way_are_named() {
    for (name, mount_path, field) in [
        ("moka-data", "/mnt", "name"),
        ("spark-data", "/mnt", "name"),
        ("pod-template-volume", "/mnt", "name"),
        ("Data", "/mnt", "name"),
        ("data", "/", "mount_path"),
        ("data", "mnt", "mount_path"),
        ("data", "/mnt/../opt", "mount_path"),
        ("data", "/mnt//a", "mount_path"),
        ("data", "/mnt:ro", "mount_path"),
        ("data", "/opt/moka", "mount_path"),
        ("data", "/var/log/moka/events", "mount_path"),
        ("data", "/var/run/secrets/x", "mount_path"),
        ("data", "/opt/spark/conf", "mount_path"),
    ] {
        refused(&format!("spec.volumes[0].{field}"), |spec| {
            spec.volumes = vec![volume(name, mount_path, claim())];
        });
    }
    let fine = faults(|spec| spec.volumes = vec![volume("data", "/opt/mokassin", claim())]);
    assert!(fine.is_empty());
    refused("spec.volumes.name", |spec| {
        spec.volumes = vec![volume("data", "/a", claim()), volume("data", "/b", claim())];
    });
    refused("spec.volumes.mount_path", |spec| {
        spec.volumes = vec![volume("a", "/mnt", claim()), volume("b", "/mnt", claim())];
    });
    refused("spec.volumes[0].sub_path", |spec| {
        let sub_path = "../x".to_owned();
        spec.volumes = vec![wire::Volume {
            sub_path,
            ..volume("data", "/mnt", claim())
        }];
    });
    refused("spec.volumes[0].source", |spec| {
        spec.volumes = vec![volume("data", "/mnt", claim())];
        spec.volumes[0].source = None;
    });
    refused("spec.volumes[0].pods", |spec| {
        spec.volumes = vec![volume("data", "/mnt", claim())];
        spec.volumes[0].pods = VolumePods::Executors as i32 + 1;
    });
    for source in [
        Source::ConfigMap("A".to_owned()),
        Source::Secret(String::new()),
        Source::PersistentVolumeClaim("a_b".to_owned()),
        Source::HostPath("/".to_owned()),
    ] {
        let found = faults(|spec| spec.volumes = vec![volume("data", "/mnt", source)]);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
