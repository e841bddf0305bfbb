use proptest::prelude::*;

use super::*;
use crate::domain::exposition::Format;

const NOW: i64 = 1_700_000_000;

fn policy(static_tags: &str) -> Policy {
    Policy {
        static_tags: static_tags.parse().unwrap(),
        dropped_labels: vec!["application_id".to_owned(), "application_name".to_owned()],
        spark_namespaces: Vec::new(),
    }
}

fn mapped(policy: &Policy, line: &str) -> Result<String, DropReason> {
    let sample = Sample::parse(line, Format::Prometheus).unwrap().unwrap();
    policy.apply(&sample, NOW).map(|line| line.text)
}

#[test]
fn samples_become_put_lines() {
    let policy = policy("application=m01,host=node 1");
    for (line, expected) in [
        ("up 1", "put up 1700000000 1 application=m01 host=node/x201"),
        (
            "metrics_local_1_driver_jvm_heap_used_Value{type=\"gauges\"} 7.5e-3",
            "put spark_driver_jvm_heap_used_Value 1700000000 0.0075 application=m01 host=node/x201 type=gauges",
        ),
        (
            "metrics_executor_maxTasks{application_id=\"local-1\", application_name=\"a b\", executor_id=\"3\"} 2",
            "put spark_executor_maxTasks 1700000000 2 executor_id=3 application=m01 host=node/x201",
        ),
        (
            "a:b_bucket{le=\"+Inf\",z=\"\"} 3 1600000000999",
            "put a.b_bucket 1600000000 3 le=Inf application=m01 host=node/x201",
        ),
        (
            "a{host=\"b\",exported_host=\"c\"} -0",
            "put a 1700000000 0 application=m01 host=node/x201 exported_exported_host=b exported_host=c",
        ),
    ] {
        assert_eq!(
            mapped(&policy, line).as_deref(),
            Ok(format!("{expected}\n").as_str()),
            "{line}"
        );
    }
}

#[test]
fn a_line_without_tags_gets_one() {
    assert_eq!(
        mapped(&policy(""), "up{a=\"\"} 1").unwrap(),
        "put up 1700000000 1 source=moka\n"
    );
}

#[test]
fn whole_numbers_are_exact_and_large_ones_are_floats() {
    for (value, expected) in [
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
        ("1e21", "1e21"),
        ("18446744073709551616", "1.8446744073709552e19"),
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        ("29.240000000000002", "29.240000000000002"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
    ] {
        let line = mapped(&policy(""), &format!("a {value}")).unwrap();
        assert_eq!(
            line,
            format!("put a {NOW} {expected} source=moka\n"),
            "{value}"
        );
        assert_eq!(expected.parse::<f64>(), value.parse::<f64>());
    }
}

#[test]
fn what_opentsdb_refuses_is_dropped_with_its_reason() {
    let long = format!("a{{b=\"{}\"}} 1", "x".repeat(1100));
    for (line, reason) in [
        ("a NaN", DropReason::NotFinite),
        ("a -Inf", DropReason::NotFinite),
        ("a 1 999", DropReason::Timestamp),
        ("a 1 10000000000000", DropReason::Timestamp),
        (
            "metrics_local_1_driver_a_Number{type=\"gauges\"} 1",
            DropReason::Duplicate,
        ),
        (long.as_str(), DropReason::LineTooLong),
    ] {
        assert_eq!(mapped(&policy(""), line), Err(reason), "{line}");
    }
}

#[test]
fn the_line_limit_counts_the_end_of_the_line() {
    let line = |length: usize| format!("a{{b=\"{}\"}} 1", "x".repeat(length));
    let fixed = "put a 1700000000 1 b=\n".len();
    assert_eq!(
        mapped(&policy(""), &line(1024 - fixed)).unwrap().len(),
        1024
    );
    assert_eq!(
        mapped(&policy(""), &line(1025 - fixed)),
        Err(DropReason::LineTooLong)
    );
}

#[test]
fn eight_tags_are_kept_by_importance() {
    let policy = policy("t1=1,t2=2,t3=3,t4=4,t5=5");
    let line = "a{z=\"9\",y=\"8\",executor_id=\"1\",quantile=\"0.5\",b=\"2\"} 1";
    let sample = Sample::parse(line, Format::Prometheus).unwrap().unwrap();
    let line = policy.apply(&sample, NOW).unwrap();
    assert_eq!(line.labels_over_budget, 2);
    let expected = "put a 1700000000 1 executor_id=1 quantile=0.5 t1=1 t2=2 t3=3 t4=4 t5=5 b=2\n";
    assert_eq!(line.text, expected);
}

#[test]
fn tags_are_read_and_mistakes_are_named() {
    assert_eq!("".parse(), Ok(StaticTags::default()));
    assert!("a=b, c=d=e,".parse::<StaticTags>().is_ok());
    for (text, expected) in [
        ("a", ParseTagsError::Form("a".to_owned())),
        ("ä=b", ParseTagsError::Key("ä".to_owned())),
        ("=b", ParseTagsError::Key(String::new())),
        ("a=", ParseTagsError::Empty("a".to_owned())),
        ("a=b,a=c", ParseTagsError::Repeated("a".to_owned())),
        (
            "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1",
            ParseTagsError::TooMany,
        ),
    ] {
        assert_eq!(text.parse::<StaticTags>(), Err(expected), "{text}");
    }
}

proptest! {
    #[test]
    fn the_order_of_labels_makes_no_difference(
        labels in proptest::collection::btree_map("[a-z]{1,4}|(exported_){0,2}b", "[a-z ]{0,4}", 0..12),
        value in -1e9..1e9_f64,
    ) {
        let line = |labels: Vec<(&String, &String)>| {
            let labels: Vec<_> =
                labels.into_iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            format!("a{{{}}} {value}", labels.join(","))
        };
        let policy = policy("b=c,exported_b=d");
        let forward = mapped(&policy, &line(labels.iter().collect()));
        let backward = mapped(&policy, &line(labels.iter().rev().collect()));
        prop_assert_eq!(forward, backward);
    }
}
