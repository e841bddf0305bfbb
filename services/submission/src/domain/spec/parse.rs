//! From the wire's spec to a checked one. The limits are those that `spec.proto` states.

use std::{collections::BTreeMap, ops::RangeInclusive};

use moka_proto::submission::v1::{ApplicationSpec, ApplicationType, DriverSpec, ExecutorSpec};
use moka_rpc::Violations;

use super::{ExecutorSpec as CheckedExecutor, Language, PodSpec, Spec};
use crate::domain::platform_settings;

const URL_BYTES: usize = 1024;
const MAIN_CLASS_BYTES: usize = 1024;
const QUEUE_BYTES: usize = 1024;
const SPARK_VERSION_BYTES: usize = 64;
const MOST_ARGUMENTS: usize = 1024;
const ARGUMENTS_BYTES: usize = 128 * 1024;
const MOST_SETTINGS: usize = 1024;
const SETTINGS_BYTES: usize = 256 * 1024;
const MOST_VARIABLES: usize = 256;
const VARIABLES_BYTES: usize = 64 * 1024;
const CORES: RangeInclusive<i32> = 1..=64;
const CPU_MILLICORES: RangeInclusive<i64> = 10..=64_000;
const INSTANCES: RangeInclusive<i32> = 1..=10_000;
const MIB: i64 = 1024 * 1024;
const HEAP_BYTES: RangeInclusive<i64> = 512 * MIB..=1024 * 1024 * MIB;
const OVERHEAD_BYTES: RangeInclusive<i64> = 0..=1024 * 1024 * MIB;

/// Checks a spec. Adds what is wrong to `violations`; the result is `None` only when something is.
pub fn parse(violations: &mut Violations, spec: &ApplicationSpec) -> Option<Spec> {
    let language = language(violations, spec.r#type);
    word(violations, "spec.image", &spec.image, URL_BYTES);
    main_file(violations, &spec.main_application_file);
    let main_class = main_class(violations, language, &spec.main_class);
    arguments(violations, &spec.arguments);
    spark_version(violations, &spec.spark_version);
    settings(violations, &spec.spark_conf);
    word(violations, "spec.queue", &spec.queue, QUEUE_BYTES);
    environment(violations, &spec.environment);
    let driver = violations
        .required("spec.driver", spec.driver.as_ref())
        .map(|driver| driver_pod(violations, driver));
    let executor = violations
        .required("spec.executor", spec.executor.as_ref())
        .map(|executor| executors(violations, executor));
    Some(Spec {
        language: language?,
        image: spec.image.clone(),
        main_application_file: spec.main_application_file.clone(),
        main_class,
        arguments: spec.arguments.clone(),
        spark_version: spec.spark_version.clone(),
        spark_conf: spec.spark_conf.clone(),
        driver: Some(driver?),
        executor: Some(executor?),
        queue: spec.queue.clone(),
        environment: spec.environment.clone(),
        sql_statements: spec.sql_statements.clone(),
        dependencies: super::Dependencies::default(),
        dynamic_allocation: None,
        secret_environment: Vec::new(),
        volumes: Vec::new(),
        service_account: spec.service_account.clone(),
        architectures: Vec::new(),
        image_by_architecture: BTreeMap::new(),
        shuffle_profile: spec.shuffle_profile.clone(),
        tags: spec.tags.clone(),
        labels: spec.labels.clone(),
        owner: spec.owner.clone(),
        workflow: spec.workflow.clone(),
        run: spec.run.clone(),
        tier: None,
        deadlines: super::Deadlines::default(),
        retry: None,
    })
}

fn language(violations: &mut Violations, number: i32) -> Option<Language> {
    let language = match ApplicationType::try_from(number) {
        Ok(ApplicationType::Python) => Some(Language::Python),
        Ok(ApplicationType::Java) => Some(Language::Java),
        Ok(ApplicationType::Scala) => Some(Language::Scala),
        Ok(ApplicationType::R) => Some(Language::R),
        Ok(ApplicationType::Sql) => Some(Language::Sql),
        Ok(ApplicationType::Unspecified) | Err(_) => None,
    };
    if language.is_none() {
        violations.add("spec.type", "must be PYTHON, JAVA, SCALA, R or SQL");
    }
    language
}

/// A non-empty text without white space and control characters.
fn word(violations: &mut Violations, field: &str, text: &str, max_bytes: usize) {
    violations.non_empty(field, text);
    violations.max_length(field, text, max_bytes);
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        violations.add(field, "must not have white space or control characters");
    }
}

fn main_file(violations: &mut Violations, url: &str) {
    const FIELD: &str = "spec.main_application_file";
    word(violations, FIELD, url, URL_BYTES);
    let scheme = url.split_once("://").map(|(scheme, _path)| scheme);
    let well_formed = scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if !url.is_empty() && !well_formed {
        violations.add(FIELD, "must be a URL such as local:///opt/app/main.py");
    }
}

fn main_class(
    violations: &mut Violations,
    language: Option<Language>,
    class: &str,
) -> Option<String> {
    const FIELD: &str = "spec.main_class";
    match language? {
        language if language.needs_main_class() => {
            word(violations, FIELD, class, MAIN_CLASS_BYTES);
            Some(class.to_owned())
        }
        _ => {
            if !class.is_empty() {
                violations.add(FIELD, "must be empty for PYTHON and R");
            }
            None
        }
    }
}

fn arguments(violations: &mut Violations, arguments: &[String]) {
    const FIELD: &str = "spec.arguments";
    if arguments.len() > MOST_ARGUMENTS {
        let count = arguments.len();
        violations.add(
            FIELD,
            format!("must be at most {MOST_ARGUMENTS}, are {count}"),
        );
    }
    let bytes: usize = arguments.iter().map(String::len).sum();
    if bytes > ARGUMENTS_BYTES {
        let rule = format!("must be at most {ARGUMENTS_BYTES} bytes in total, are {bytes}");
        violations.add(FIELD, rule);
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        violations.add(FIELD, "must not have NUL characters");
    }
}

fn spark_version(violations: &mut Violations, version: &str) {
    const FIELD: &str = "spec.spark_version";
    violations.max_length(FIELD, version, SPARK_VERSION_BYTES);
    let (numbers, suffix) = version.split_once('-').unwrap_or((version, "release"));
    let parts: Vec<_> = numbers.split('.').collect();
    let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = parts.len() == 3
        && parts.iter().all(numeric)
        && !suffix.is_empty()
        && suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if !well_formed {
        violations.add(FIELD, "must be a version such as 4.0.1");
    }
}

fn settings(violations: &mut Violations, settings: &BTreeMap<String, String>) {
    const FIELD: &str = "spec.spark_conf";
    map_size(violations, FIELD, settings, MOST_SETTINGS, SETTINGS_BYTES);
    for (key, value) in settings {
        if platform_settings::is_owned(key) {
            violations.add(entry(FIELD, key), "the platform sets this itself");
        } else if !key.starts_with("spark.")
            || key.contains(|c: char| c.is_whitespace() || c == '=')
        {
            violations.add(
                entry(FIELD, key),
                "must be the name of a setting, such as spark.sql.ansi.enabled",
            );
        } else if value.contains('\0') {
            violations.add(entry(FIELD, key), "must not have NUL characters");
        }
    }
}

fn environment(violations: &mut Violations, variables: &BTreeMap<String, String>) {
    const FIELD: &str = "spec.environment";
    map_size(
        violations,
        FIELD,
        variables,
        MOST_VARIABLES,
        VARIABLES_BYTES,
    );
    for (name, value) in variables {
        let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            violations.add(entry(FIELD, name), "must be a C identifier");
        } else if value.contains('\0') {
            violations.add(entry(FIELD, name), "must not have NUL characters");
        }
    }
}

fn map_size(
    violations: &mut Violations,
    field: &str,
    map: &BTreeMap<String, String>,
    most: usize,
    max_bytes: usize,
) {
    if map.len() > most {
        violations.add(
            field,
            format!("must be at most {most} entries, are {}", map.len()),
        );
    }
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > max_bytes {
        let rule = format!("must be at most {max_bytes} bytes in total, are {bytes}");
        violations.add(field, rule);
    }
}

/// One entry of a map, as a path. A long key is named by its beginning.
fn entry(field: &str, key: &str) -> String {
    let shown: String = key.chars().take(100).collect();
    format!("{field}[\"{shown}\"]")
}

fn driver_pod(violations: &mut Violations, driver: &DriverSpec) -> PodSpec {
    pod(violations, "spec.driver", driver)
}

fn executors(violations: &mut Violations, executor: &ExecutorSpec) -> CheckedExecutor {
    violations.range("spec.executor.instances", &executor.instances, &INSTANCES);
    let as_pod = DriverSpec {
        cores: executor.cores,
        cpu_request_millicores: executor.cpu_request_millicores,
        memory_bytes: executor.memory_bytes,
        memory_overhead_bytes: executor.memory_overhead_bytes,
        extended_resources: executor.extended_resources.clone(),
    };
    CheckedExecutor {
        instances: executor.instances.unsigned_abs(),
        pod: pod(violations, "spec.executor", &as_pod),
    }
}

fn pod(violations: &mut Violations, path: &str, pod: &DriverSpec) -> PodSpec {
    if pod.cores != 0 {
        violations.range(&format!("{path}.cores"), &pod.cores, &CORES);
    }
    if pod.cpu_request_millicores != 0 {
        let field = format!("{path}.cpu_request_millicores");
        violations.range(&field, &pod.cpu_request_millicores, &CPU_MILLICORES);
    }
    memory(
        violations,
        &format!("{path}.memory_bytes"),
        pod.memory_bytes,
        &HEAP_BYTES,
    );
    let field = format!("{path}.memory_overhead_bytes");
    memory(
        violations,
        &field,
        pod.memory_overhead_bytes,
        &OVERHEAD_BYTES,
    );
    PodSpec {
        cores: pod.cores.unsigned_abs(),
        cpu_request_millicores: u32::try_from(pod.cpu_request_millicores).unwrap_or_default(),
        memory_bytes: pod.memory_bytes.unsigned_abs(),
        memory_overhead_bytes: pod.memory_overhead_bytes.unsigned_abs(),
        extended_resources: BTreeMap::new(),
    }
}

fn memory(violations: &mut Violations, field: &str, bytes: i64, allowed: &RangeInclusive<i64>) {
    violations.range(field, &bytes, allowed);
    if bytes % MIB != 0 {
        violations.add(field, "must be a whole number of MiB (1,048,576 bytes)");
    }
}
