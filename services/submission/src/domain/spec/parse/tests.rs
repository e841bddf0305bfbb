//! Each limit of a spec: what is at it passes, what is one past it is named.

mod retries;
mod volumes;

use std::collections::BTreeMap;

use moka_proto::submission::v1 as wire;
use prost_types::Duration;
use wire::{ApplicationSpec, ApplicationType};

use crate::domain::submission::{Submission, tests::request};

/// The fields that are at fault after a change to a good spec.
fn faults(change: impl FnOnce(&mut ApplicationSpec)) -> Vec<String> {
    let mut request = request();
    change(request.spec.as_mut().unwrap());
    let violations = match Submission::parse(&request) {
        Ok(_) => Vec::new(),
        Err(error) => error.violations,
    };
    violations.into_iter().map(|one| one.field).collect()
}

/// The first change is at a limit, the second one past it.
#[track_caller]
fn check(
    field: &str,
    at: impl FnOnce(&mut ApplicationSpec),
    past: impl FnOnce(&mut ApplicationSpec),
) {
    assert_eq!(faults(at), Vec::<String>::new(), "{field} at its limit");
    assert_eq!(faults(past), [field], "{field} past its limit");
}

/// A limit that a number runs into.
#[track_caller]
fn check_number<N>(field: &str, at: N, past: N, set: impl Fn(&mut ApplicationSpec, N)) {
    check(field, |spec| set(spec, at), |spec| set(spec, past));
}

#[track_caller]
fn refused(field: &str, change: impl FnOnce(&mut ApplicationSpec)) {
    assert_eq!(faults(change), [field]);
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

fn entries(count: usize, value: &str) -> BTreeMap<String, String> {
    (0..count)
        .map(|n| (format!("n{n}"), value.to_owned()))
        .collect()
}

fn sql(spec: &mut ApplicationSpec, statements: Vec<String>) {
    spec.r#type = ApplicationType::Sql.into();
    spec.main_application_file.clear();
    spec.arguments.clear();
    spec.sql_statements = statements;
}

#[test]
fn statements_are_for_sql_alone() {
    let statement = || vec!["SELECT 1".to_owned()];
    check_number("spec.sql_statements", 256, 257, |spec, count| {
        sql(spec, vec!["SELECT 1".to_owned(); count]);
    });
    check_number(
        "spec.sql_statements",
        128 * 1024,
        128 * 1024 + 1,
        |spec, bytes| sql(spec, vec!["x".repeat(bytes)]),
    );
    refused("spec.sql_statements", |spec| sql(spec, Vec::new()));
    refused("spec.sql_statements", |spec| {
        sql(spec, vec![" ".to_owned()]);
    });
    refused("spec.sql_statements", |spec| {
        sql(spec, vec!["\0".to_owned()]);
    });
    refused("spec.sql_statements", |spec| {
        spec.sql_statements = statement();
    });
    refused("spec.main_application_file", |spec| {
        sql(spec, statement());
        spec.main_application_file = "local:///opt/app/report.py".to_owned();
    });
    refused("spec.arguments", |spec| {
        sql(spec, statement());
        spec.arguments = vec![String::new()];
    });
    refused("spec.main_application_file", |spec| {
        spec.main_application_file.clear();
    });
}

#[test]
fn what_a_default_may_fill_in_may_be_missing() {
    let missing = faults(|spec| {
        spec.image.clear();
        spec.spark_version.clear();
        spec.queue.clear();
        spec.driver = None;
        spec.executor = None;
    });
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn dependencies_hold_to_the_unit() {
    let set = |spec: &mut ApplicationSpec, name: &str, entries: Vec<String>| {
        let mut all = wire::Dependencies::default();
        let list = match name {
            "jars" => &mut all.jars,
            "files" => &mut all.files,
            "py_files" => &mut all.py_files,
            "archives" => &mut all.archives,
            "packages" => &mut all.packages,
            "exclude_packages" => &mut all.exclude_packages,
            _ => &mut all.repositories,
        };
        *list = entries;
        spec.dependencies = Some(all);
    };
    for (name, good, bad) in [
        ("jars", "s3a://a/b.jar", "b.jar"),
        ("files", "s3a://a/b", "s3a://"),
        ("py_files", "local:///a.py", "s3a://a,s3a://b"),
        ("archives", "s3a://a/b.tgz#b", "s3a://a b"),
        ("packages", "org.example:lib:1", "org.example:lib"),
        ("exclude_packages", "org.example:lib", "org.example:lib:1"),
        ("repositories", "https://example.com", "example.com"),
    ] {
        let field = format!("spec.dependencies.{name}");
        check_number(&field, 256, 257, |spec, count| {
            set(spec, name, vec![good.to_owned(); count]);
        });
        refused(&format!("{field}[0]"), |spec| {
            set(spec, name, vec![bad.to_owned()]);
        });
    }
    check_number(
        "spec.dependencies",
        64 * 1024,
        64 * 1024 + 1,
        |spec, bytes| {
            let mut jars = vec![format!("s3a://{}", "x".repeat(506)); bytes / 512];
            jars[0].push_str(&"x".repeat(bytes % 512));
            set(spec, "jars", jars);
        },
    );
}

#[test]
fn dynamic_allocation_holds_to_the_unit() {
    let with = |spec: &mut ApplicationSpec, [min, initial, max]: [i32; 3], idle| {
        spec.executor.as_mut().unwrap().instances = 0;
        spec.dynamic_allocation = Some(wire::DynamicAllocation {
            min_executors: min,
            max_executors: max,
            initial_executors: initial,
            idle_timeout: idle,
        });
    };
    let field = |name: &str| format!("spec.dynamic_allocation.{name}");
    for (name, at, past) in [
        ("max_executors", [0, 0, 10_000], [0, 0, 10_001]),
        ("max_executors", [0, 0, 1], [-0, 0, 0]),
        ("min_executors", [7, 0, 7], [8, 0, 7]),
        ("min_executors", [0, 0, 7], [-1, 0, 7]),
        ("initial_executors", [1, 7, 7], [1, 8, 7]),
        ("initial_executors", [3, 3, 7], [3, 2, 7]),
        ("initial_executors", [0, 0, 7], [0, -1, 7]),
    ] {
        assert!(
            faults(|spec| with(spec, at, None)).is_empty(),
            "{name} {at:?}"
        );
        let found = faults(|spec| with(spec, past, None));
        assert!(found.contains(&field(name)), "{name} {past:?}: {found:?}");
    }
    for (at, past) in [(1, 0), (86_400, 86_401)] {
        check_number(&field("idle_timeout"), at, past, |spec, idle| {
            with(spec, [0, 0, 1], Some(seconds(idle)));
        });
    }
    refused("spec.executor.instances", |spec| {
        with(spec, [0, 0, 1], None);
        spec.executor.as_mut().unwrap().instances = 1;
    });
    refused("spec.executor.instances", |spec| {
        spec.executor.as_mut().unwrap().instances = 0;
    });
}

#[test]
fn extended_resources_hold_to_the_unit() {
    let devices = |count: usize, quantity: i64| -> BTreeMap<String, i64> {
        (0..count)
            .map(|n| (format!("example.com/d{n}"), quantity))
            .collect()
    };
    check_number("spec.driver.extended_resources", 8, 9, |spec, count| {
        spec.driver.as_mut().unwrap().extended_resources = devices(count, 1);
    });
    for (at, past) in [(1, 0), (1024, 1025)] {
        let field = "spec.executor.extended_resources[\"example.com/d0\"]";
        check_number(field, at, past, |spec, quantity| {
            spec.executor.as_mut().unwrap().extended_resources = devices(1, quantity);
        });
    }
    for name in [
        "cpu",
        "gpu",
        "kubernetes.io/gpu",
        "x.kubernetes.io/gpu",
        "/gpu",
        "a b/gpu",
    ] {
        let field = format!("spec.driver.extended_resources[\"{name}\"]");
        refused(&field, |spec| {
            let devices = [(name.to_owned(), 1)].into();
            spec.driver.as_mut().unwrap().extended_resources = devices;
        });
    }
}

#[test]
fn secrets_hold_to_the_unit() {
    let variable = |name: &str, secret: &str, key: &str| wire::SecretVariable {
        name: name.to_owned(),
        secret: secret.to_owned(),
        key: key.to_owned(),
    };
    check_number("spec.secret_environment", 64, 65, |spec, count| {
        let variable = |n| variable(&format!("V{n}"), "store", "key");
        spec.secret_environment = (0..count).map(variable).collect();
    });
    let field = |name: &str| format!("spec.secret_environment[0].{name}");
    check_number(&field("secret"), 253, 254, |spec, bytes| {
        spec.secret_environment = vec![variable("V", &"x".repeat(bytes), "key")];
    });
    check_number(&field("key"), 253, 254, |spec, bytes| {
        spec.secret_environment = vec![variable("V", "store", &"x".repeat(bytes))];
    });
    for (name, bad) in [
        ("name", variable("A-B", "store", "key")),
        ("name", variable("GREETING", "store", "key")),
        ("secret", variable("V", "Store", "key")),
        ("key", variable("V", "store", "a/b")),
        ("key", variable("V", "store", "..")),
        ("key", variable("V", "store", "")),
    ] {
        refused(&field(name), |spec| spec.secret_environment = vec![bad]);
    }
    refused("spec.secret_environment[1].name", |spec| {
        spec.secret_environment = vec![variable("V", "store", "key"); 2];
    });
}

#[test]
fn tags_and_labels_hold_to_the_unit() {
    check_number("spec.tags", 64, 65, |spec, count| {
        spec.tags = entries(count, "");
    });
    check_number("spec.labels", 32, 33, |spec, count| {
        spec.labels = entries(count, "");
    });
    check_number("spec.tags[\"n0\"]", 63, 64, |spec, bytes| {
        spec.tags = entries(1, &"x".repeat(bytes));
    });
    check_number("spec.labels[\"n0\"]", 63, 64, |spec, bytes| {
        spec.labels = entries(1, &"x".repeat(bytes));
    });
    for (name, value) in [
        ("", ""),
        ("a/b", ""),
        ("a b", ""),
        ("-a", ""),
        ("a", "b c"),
        ("a", "b-"),
    ] {
        refused(&format!("spec.tags[\"{name}\"]"), |spec| {
            spec.tags = [(name.to_owned(), value.to_owned())].into();
        });
    }
    for name in [
        "moka.dev/x",
        "x.moka.dev/x",
        "app.kubernetes.io/name",
        "sparkoperator.k8s.io/app-name",
        "yunikorn.apache.org/queue",
        "applicationId",
        "queue",
        "spark-role",
        "a/b/c",
        "A.example/x",
        "",
    ] {
        refused(&format!("spec.labels[\"{name}\"]"), |spec| {
            spec.labels = [(name.to_owned(), String::new())].into();
        });
    }
    for name in ["notmoka.dev/x", "sparkling", "app", "team.example/x_y.z"] {
        let found = faults(|spec| spec.labels = [(name.to_owned(), "v".to_owned())].into());
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn who_and_what_for_holds_to_the_byte() {
    for (field, set) in [
        (
            "spec.owner",
            (|spec, text| spec.owner = text) as fn(&mut ApplicationSpec, String),
        ),
        ("spec.workflow", |spec, text| spec.workflow = text),
        ("spec.run", |spec, text| spec.run = text),
    ] {
        check_number(field, 128, 129, |spec, bytes| set(spec, "x".repeat(bytes)));
        refused(field, |spec| set(spec, "ä".to_owned()));
        refused(field, |spec| set(spec, "a\nb".to_owned()));
    }
    check_number("spec.service_account", 253, 254, |spec, bytes| {
        spec.service_account = "x".repeat(bytes);
    });
    check_number("spec.shuffle_profile", 63, 64, |spec, bytes| {
        spec.shuffle_profile = "x".repeat(bytes);
    });
}

#[test]
fn architectures_are_known_and_stand_once() {
    let amd64 = wire::Architecture::Amd64 as i32;
    let arm64 = wire::Architecture::Arm64 as i32;
    check_number(
        "spec.architectures",
        vec![arm64, amd64],
        vec![arm64, arm64],
        |spec, all| {
            spec.architectures = all;
        },
    );
    refused("spec.architectures", |spec| spec.architectures = vec![0]);
    refused("spec.architectures", |spec| spec.architectures = vec![3]);
    check_number(
        "spec.image_by_architecture[\"arm64\"]",
        1024,
        1025,
        |spec, bytes| {
            spec.image_by_architecture = [("arm64".to_owned(), "x".repeat(bytes))].into();
        },
    );
    refused("spec.image_by_architecture[\"x86\"]", |spec| {
        spec.image_by_architecture = [("x86".to_owned(), "image".to_owned())].into();
    });
    check_number("spec.tier", 3, 4, |spec, tier| spec.tier = tier);
}
