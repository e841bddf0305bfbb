//! Spark's own names, lifted out of what makes them different in every run.
//!
//! The driver's servlet writes `metrics_<application id>_driver_<rest>` with the id's illegal
//! characters as underscores, the executors' summary `metrics_executor_<rest>{application_id,
//! executor_id, …}`. Both become `spark_driver_<rest>` and `spark_executor_<rest>`, the same in
//! every run.

use crate::domain::exposition::Sample;

const PREFIX: &str = "metrics_";

/// A sample's name without what changes from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifted<'a> {
    /// Goes before the name.
    pub(super) prefix: &'static str,
    pub(super) name: &'a str,
    /// The executor that the name spoke of.
    pub(super) executor_id: Option<&'a str>,
    /// Whether the same number comes again under another name: of a gauge, Spark writes both
    /// `_Number` and `_Value`.
    pub(super) written_twice: bool,
}

impl<'a> Lifted<'a> {
    /// Names that are not Spark's stay as they are.
    pub(super) fn of(sample: &Sample<'a>, namespaces: &[String]) -> Self {
        let plain = Self {
            prefix: "",
            name: sample.name,
            executor_id: None,
            written_twice: false,
        };
        let Some(rest) = sample.name.strip_prefix(PREFIX) else {
            return plain;
        };
        if let Some(name) = rest.strip_prefix("executor_")
            && sample.labels.get("application_id").is_some()
        {
            return Self {
                prefix: "spark_executor_",
                name,
                ..plain
            };
        }
        let after_id = skip_application_id(rest).or_else(|| skip_namespace(rest, namespaces));
        let Some((instance, name)) = after_id.and_then(|rest| rest.split_once('_')) else {
            return plain;
        };
        let written_twice = name.ends_with("_Number")
            && sample
                .labels
                .get("type")
                .is_some_and(|kind| kind == "gauges");
        if name.is_empty() {
            plain
        } else if instance == "driver" {
            Self {
                prefix: "spark_driver_",
                name,
                executor_id: None,
                written_twice,
            }
        } else if is_number(instance) {
            Self {
                prefix: "spark_executor_",
                name,
                executor_id: Some(instance),
                written_twice,
            }
        } else {
            plain
        }
    }
}

/// What follows an id of any of Spark's cluster managers and the underscore after it.
fn skip_application_id(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("spark_") {
        // Kubernetes: 32 hexadecimal digits, or a number when spark-submit did not choose the id.
        if let Some(rest) = rest.strip_prefix("application_") {
            return skip_number(rest);
        }
        let (id, rest) = rest.split_once('_')?;
        return (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(rest);
    }
    if let Some(rest) = text.strip_prefix("local_") {
        return skip_number(rest);
    }
    // Standalone and YARN: two numbers.
    let rest = text
        .strip_prefix("app_")
        .or_else(|| text.strip_prefix("application_"))?;
    skip_number(skip_number(rest)?)
}

/// What follows a configured namespace, which Spark writes with its illegal characters as
/// underscores.
fn skip_namespace<'a>(text: &'a str, namespaces: &[String]) -> Option<&'a str> {
    namespaces.iter().find_map(|namespace| {
        let (found, rest) = text.split_at_checked(namespace.len())?;
        let same = found.bytes().zip(namespace.bytes()).all(|(found, byte)| {
            found
                == if byte.is_ascii_alphanumeric() {
                    byte
                } else {
                    b'_'
                }
        });
        if same { rest.strip_prefix('_') } else { None }
    })
}

fn skip_number(text: &str) -> Option<&str> {
    let (number, rest) = text.split_once('_')?;
    is_number(number).then_some(rest)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::exposition::Format;

    fn check(line: &str, prefix: &str, name: &str, executor_id: Option<&str>) {
        let line = format!("{line} 1");
        let sample = Sample::parse(&line, Format::Prometheus).unwrap().unwrap();
        let lifted = Lifted::of(&sample, &["nightly-etl".to_owned()]);
        let found = (lifted.prefix, lifted.name, lifted.executor_id);
        assert_eq!(found, (prefix, name, executor_id), "{line}");
    }

    #[test]
    fn ids_of_every_cluster_manager_and_namespaces_are_lifted() {
        let driver = "spark_driver_";
        for id in [
            "spark_0123456789abcdef0123456789abcdef",
            "spark_application_1795177836604",
            "local_1795177836604",
            "app_20260102030405_0001",
            "application_1700000000000_0042",
            "nightly_etl",
        ] {
            check(
                &format!("metrics_{id}_driver_jvm_heap_used_Value"),
                driver,
                "jvm_heap_used_Value",
                None,
            );
            check(
                &format!("metrics_{id}_12_jvm_heap"),
                "spark_executor_",
                "jvm_heap",
                Some("12"),
            );
        }
        let line = "metrics_executor_rddBlocks{application_id=\"local-1\"}";
        check(line, "spark_executor_", "rddBlocks", None);
    }

    #[test]
    fn other_names_stay() {
        for name in [
            "spark_info",
            "metrics_executor_rddBlocks",
            "metrics_spark_0123_driver_jvm",
            "metrics_local_x_driver_jvm",
            "metrics_local_1_worker_jvm",
            "metrics_local_1_driver",
            "metrics_local_1_driver_",
            "metrics_app_1_driver_jvm",
            "metrics_server_driver_jvm",
        ] {
            check(name, "", name, None);
        }
    }

    #[test]
    fn only_sparks_own_gauges_are_written_twice() {
        for (line, expected) in [
            ("metrics_local_1_driver_a_Number{type=\"gauges\"} 1", true),
            ("metrics_local_1_driver_a_Value{type=\"gauges\"} 1", false),
            (
                "metrics_local_1_driver_a_Number{type=\"counters\"} 1",
                false,
            ),
            ("a_Number{type=\"gauges\"} 1", false),
        ] {
            let sample = Sample::parse(line, Format::Prometheus).unwrap().unwrap();
            assert_eq!(Lifted::of(&sample, &[]).written_twice, expected, "{line}");
        }
    }
}
