use std::collections::BTreeMap;

use jiff::Timestamp;
use moka_core::{ApplicationId, ErrorReason};
use moka_proto::submission::v1::{ApplicationSpec, ApplicationType, DriverSpec, ExecutorSpec};

use super::*;
use crate::domain::{
    application::Application,
    launch_spec::LaunchSpec,
    resolve::{Rules, resolve},
};

const MIB: i64 = 1024 * 1024;

/// A request that is all right.
pub fn request() -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: "daily/2026-11-21".to_owned(),
        try_number: 0,
        display_name: String::new(),
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: "registry.example/spark:4.0.1".to_owned(),
            main_application_file: "local:///opt/app/report.py".to_owned(),
            main_class: String::new(),
            arguments: vec!["/data".to_owned()],
            spark_version: "4.0.1".to_owned(),
            spark_conf: BTreeMap::from([("spark.sql.ansi.enabled".to_owned(), "true".to_owned())]),
            driver: Some(DriverSpec {
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 2,
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..ExecutorSpec::default()
            }),
            queue: "root.demo".to_owned(),
            environment: BTreeMap::from([("GREETING".to_owned(), "hello $(whoami)".to_owned())]),
            ..ApplicationSpec::default()
        }),
    }
}

/// [`request`], checked.
pub fn submission() -> Submission {
    Submission::parse(&request()).unwrap()
}

/// An application that was just accepted.
pub fn application() -> Application {
    let accepted = Timestamp::from_second(1_799_999_000).unwrap();
    Application {
        version: 1,
        ..Application::accepted(id(), submission(), accepted)
    }
}

/// [`submission`], with every default filled in.
pub fn launch_spec() -> LaunchSpec {
    resolve(&submission().spec, Rules::default()).unwrap()
}

/// Its id.
pub fn id() -> ApplicationId {
    "m01hf7yat00v2t9d4h5w8k3e6qz".parse().unwrap()
}

fn faults(change: impl FnOnce(&mut SubmitApplicationRequest)) -> Vec<String> {
    let mut request = request();
    change(&mut request);
    match Submission::parse(&request) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert_eq!(error.reason, ErrorReason::InvalidField);
            error
                .violations
                .into_iter()
                .map(|violation| violation.field)
                .collect()
        }
    }
}

fn spec_faults(change: impl FnOnce(&mut ApplicationSpec)) -> Vec<String> {
    faults(|request| change(request.spec.as_mut().unwrap()))
}

fn driver_faults(change: impl FnOnce(&mut DriverSpec)) -> Vec<String> {
    spec_faults(|spec| change(spec.driver.as_mut().unwrap()))
}

fn executor_faults(change: impl FnOnce(&mut ExecutorSpec)) -> Vec<String> {
    spec_faults(|spec| change(spec.executor.as_mut().unwrap()))
}

/// `entries` entries whose keys and values have `bytes` bytes together, spread evenly.
fn map(entries: usize, bytes: usize, prefix: &str) -> BTreeMap<String, String> {
    let mut map: BTreeMap<String, String> = (0..entries)
        .map(|n| (format!("{prefix}{n:06}"), String::new()))
        .collect();
    let mut left = bytes.saturating_sub(map.keys().map(String::len).sum());
    let share = left.div_ceil(entries);
    for value in map.values_mut() {
        *value = "x".repeat(share.min(left));
        left -= value.len();
    }
    map
}

/// A limit: the last value that passes has no fault, the first that does not is named.
#[track_caller]
fn check_limit(field: &str, at: impl AsRef<[String]>, past: impl AsRef<[String]>) {
    assert!(at.as_ref().is_empty(), "{field} at its limit");
    assert_eq!(past.as_ref(), [field], "{field} past its limit");
}

#[test]
fn texts_are_limited_to_the_byte() {
    check_text("project", 63, |request, text| request.project = text);
    check_text("idempotency_key", 128, |request, text| {
        request.idempotency_key = text;
    });
    check_text("display_name", 128, |request, text| {
        request.display_name = text;
    });
    check_text("spec.image", 1024, |request, text| {
        spec(request).image = text;
    });
    check_text("spec.main_application_file", 1024, |request, text| {
        spec(request).main_application_file = text.replacen("xxxxxxxxx", "local:///", 1);
    });
    check_text("spec.main_class", 1024, |request, text| {
        spec(request).r#type = ApplicationType::Scala.into();
        spec(request).main_class = text;
    });
    check_text("spec.queue", 1024, |request, text| {
        spec(request).queue = text;
    });
    check_text("spec.spark_version", 64, |request, text| {
        spec(request).spark_version = text.replacen("xxxxxx", "4.0.1-", 1);
    });
}

#[track_caller]
fn check_text(field: &str, limit_bytes: usize, set: fn(&mut SubmitApplicationRequest, String)) {
    let of_length = |length| faults(|request| set(request, "x".repeat(length)));
    check_limit(field, of_length(limit_bytes), of_length(limit_bytes + 1));
}

fn spec(request: &mut SubmitApplicationRequest) -> &mut ApplicationSpec {
    request.spec.as_mut().unwrap()
}

#[test]
fn numbers_and_collections_are_limited_to_the_unit() {
    let try_number = |number| faults(|request| request.try_number = number);
    check_limit("try_number", try_number(1_000_000), try_number(1_000_001));
    check_limit("try_number", try_number(0), try_number(-1));
    let arguments = |count: usize, bytes: usize| {
        spec_faults(|spec| {
            spec.arguments = vec![String::new(); count];
            spec.arguments[0] = "x".repeat(bytes / 2);
            spec.arguments[1] = "x".repeat(bytes - bytes / 2);
        })
    };
    check_limit("spec.arguments", arguments(1024, 1), arguments(1025, 1));
    check_limit(
        "spec.arguments",
        arguments(2, 128 * 1024),
        arguments(2, 128 * 1024 + 1),
    );
    let argument = |bytes: usize| spec_faults(|spec| spec.arguments = vec!["x".repeat(bytes)]);
    check_limit(
        "spec.arguments",
        argument(128 * 1024 - 1),
        argument(128 * 1024),
    );
    let settings =
        |count, bytes| spec_faults(|spec| spec.spark_conf = map(count, bytes, "spark.x"));
    check_limit("spec.spark_conf", settings(1024, 0), settings(1025, 0));
    check_limit(
        "spec.spark_conf",
        settings(4, 256 * 1024),
        settings(4, 256 * 1024 + 1),
    );
    check_limit(
        "spec.spark_conf",
        settings(4, 256 * 1024),
        settings(20, 2 * 1024 * 1024),
    );
    let setting = |bytes: usize| {
        let value = "x".repeat(bytes - "spark.x=".len());
        spec_faults(|spec| spec.spark_conf = [("spark.x".to_owned(), value)].into())
    };
    check_limit(
        "spec.spark_conf[\"spark.x\"]",
        setting(128 * 1024 - 1),
        setting(128 * 1024),
    );
    let variables = |count, bytes| spec_faults(|spec| spec.environment = map(count, bytes, "V"));
    check_limit("spec.environment", variables(256, 0), variables(257, 0));
    check_limit(
        "spec.environment",
        variables(2, 64 * 1024),
        variables(2, 64 * 1024 + 1),
    );
}

#[test]
fn sizes_of_pods_hold_to_the_unit() {
    for (least, below) in [(1, -1), (64, 65)] {
        check_limit(
            "spec.driver.cores",
            driver_faults(|driver| driver.cores = least),
            driver_faults(|driver| driver.cores = below),
        );
        check_limit(
            "spec.executor.cores",
            executor_faults(|executor| executor.cores = least),
            executor_faults(|executor| executor.cores = below),
        );
    }
    for (at, past) in [(10, 9), (64_000, 64_001)] {
        check_limit(
            "spec.driver.cpu_request_millicores",
            driver_faults(|driver| driver.cpu_request_millicores = at),
            driver_faults(|driver| driver.cpu_request_millicores = past),
        );
        check_limit(
            "spec.executor.cpu_request_millicores",
            executor_faults(|executor| executor.cpu_request_millicores = at),
            executor_faults(|executor| executor.cpu_request_millicores = past),
        );
    }
    for (at, past) in [
        (512 * MIB, 511 * MIB),
        (1024 * 1024 * MIB, (1024 * 1024 + 1) * MIB),
    ] {
        check_limit(
            "spec.driver.memory_bytes",
            driver_faults(|driver| driver.memory_bytes = at),
            driver_faults(|driver| driver.memory_bytes = past),
        );
        check_limit(
            "spec.executor.memory_bytes",
            executor_faults(|executor| executor.memory_bytes = at),
            executor_faults(|executor| executor.memory_bytes = past),
        );
    }
    for (at, past) in [
        (MIB, MIB + 1),
        (0, -MIB),
        (1024 * 1024 * MIB, (1024 * 1024 + 1) * MIB),
    ] {
        check_limit(
            "spec.driver.memory_overhead_bytes",
            driver_faults(|driver| driver.memory_overhead_bytes = at),
            driver_faults(|driver| driver.memory_overhead_bytes = past),
        );
        check_limit(
            "spec.executor.memory_overhead_bytes",
            executor_faults(|executor| executor.memory_overhead_bytes = at),
            executor_faults(|executor| executor.memory_overhead_bytes = past),
        );
    }
    for (at, past) in [(1, 0), (10_000, 10_001)] {
        check_limit(
            "spec.executor.instances",
            executor_faults(|executor| executor.instances = at),
            executor_faults(|executor| executor.instances = past),
        );
    }
}

#[test]
fn malformed_values_are_named() {
    let check = |found: Vec<String>, expected: &[&str]| assert_eq!(found, expected);
    check(faults(|request| request.spec = None), &["spec"]);
    check(
        faults(|request| request.project = "Team_A".to_owned()),
        &["project"],
    );
    check(
        faults(|request| request.idempotency_key = "ä".to_owned()),
        &["idempotency_key"],
    );
    check(
        faults(|request| request.idempotency_key.clear()),
        &["idempotency_key"],
    );
    check(
        faults(|request| request.display_name = "a\nb".to_owned()),
        &["display_name"],
    );
    check(spec_faults(|spec| spec.r#type = 0), &["spec.type"]);
    check(spec_faults(|spec| spec.r#type = 77), &["spec.type"]);
    check(
        spec_faults(|spec| spec.image = "a b".to_owned()),
        &["spec.image"],
    );
    check(
        spec_faults(|spec| spec.main_application_file = "report.py".to_owned()),
        &["spec.main_application_file"],
    );
    check(
        spec_faults(|spec| spec.main_class = "Main".to_owned()),
        &["spec.main_class"],
    );
    check(
        spec_faults(|spec| spec.r#type = ApplicationType::Java.into()),
        &["spec.main_class"],
    );
    check(
        spec_faults(|spec| spec.spark_version = "latest".to_owned()),
        &["spec.spark_version"],
    );
    check(
        spec_faults(|spec| spec.arguments = vec!["a\0b".to_owned()]),
        &["spec.arguments"],
    );
    let setting = |key: &str| {
        spec_faults(|spec| {
            spec.spark_conf.insert(key.to_owned(), "1".to_owned());
        })
    };
    check(
        setting("spark.eventLog.dir"),
        &["spec.spark_conf[\"spark.eventLog.dir\"]"],
    );
    check(
        setting("spark.executor.memory"),
        &["spec.spark_conf[\"spark.executor.memory\"]"],
    );
    check(setting("hadoop.x"), &["spec.spark_conf[\"hadoop.x\"]"]);
    check(setting("spark.a=b"), &["spec.spark_conf[\"spark.a=b\"]"]);
    let variable = spec_faults(|spec| {
        spec.environment.insert("A-B".to_owned(), String::new());
    });
    check(variable, &["spec.environment[\"A-B\"]"]);
}

#[test]
fn a_missing_display_name_is_the_main_files() {
    assert_eq!(submission().display_name, "report.py");
}

#[test]
fn the_stored_form_reads_back() {
    let stored = serde_json::to_string(&submission()).unwrap();
    assert_eq!(
        serde_json::from_str::<Submission>(&stored).unwrap(),
        submission()
    );
}
