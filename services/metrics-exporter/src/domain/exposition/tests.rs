use std::fmt::Write;

use proptest::prelude::*;

use super::*;

fn parse(line: &str, format: Format) -> Result<Option<Sample<'_>>, Malformed> {
    Sample::parse(line, format)
}

/// A sample as `name{label=value,…} value @seconds`.
fn check(format: Format, line: &str, expected: &str) {
    let sample = parse(line, format).unwrap().unwrap();
    let labels: Vec<_> = sample
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut found = format!("{}{{{}}} {:?}", sample.name, labels.join(","), sample.value);
    if let Some(seconds) = sample.timestamp_seconds {
        write!(found, " @{seconds}").unwrap();
    }
    assert_eq!(found, expected, "{line}");
}

#[test]
fn samples_are_read() {
    for (line, expected) in [
        ("up 1", "up{} 1.0"),
        ("  up\t 1  ", "up{} 1.0"),
        ("up{} 1\r", "up{} 1.0"),
        (
            "a:b_c{d=\"e\"} 1e3 1700000000999",
            "a:b_c{d=e} 1000.0 @1700000000",
        ),
        ("a {d = \"e\" , f=\"g\",} +Inf -1", "a{d=e,f=g} inf @-1"),
        (
            r#"a{b="c d=\"e\" {}\\\n,\x"} NaN"#,
            "a{b=c d=\"e\" {}\\\n,\\x} NaN",
        ),
        ("a{b=\"\",c=\"ä\"} 0x", "refused"),
    ] {
        if expected == "refused" {
            assert_eq!(parse(line, Format::Prometheus), Err(Malformed), "{line}");
        } else {
            check(Format::Prometheus, line, expected);
        }
    }
}

#[test]
fn openmetrics_has_seconds_and_exemplars() {
    let format = Format::OpenMetrics;
    check(
        format,
        "a_bucket{le=\"1\"} 2 # {trace_id=\"x\"} 0.5",
        "a_bucket{le=1} 2.0",
    );
    check(
        format,
        "a_total 2 1700000000.9 # {} 1",
        "a_total{} 2.0 @1700000000",
    );
    assert_eq!(parse("a 2 # {} 1", Format::Prometheus), Err(Malformed));
    assert_eq!(parse("a 2 inf", format), Err(Malformed));
    let text = b"a 1\n# EOF\nb 2\n";
    assert_eq!(samples(text, format).count(), 1);
    assert_eq!(samples(text, Format::Prometheus).count(), 2);
}

#[test]
fn comments_and_empty_lines_are_no_samples() {
    for line in ["", " ", "\t", "# HELP a b", "#", " # TYPE a counter"] {
        assert_eq!(parse(line, Format::Prometheus), Ok(None), "{line}");
    }
}

#[test]
fn what_is_no_sample_is_refused_alone() {
    for line in [
        "a",
        "a{",
        "a{}",
        "a{b}",
        "a{b=c} 1",
        "a{b=\"c} 1",
        "a{b=\"c\"d=\"e\"} 1",
        "a{1b=\"c\"} 1",
        "1a 1",
        "a 1 2 3",
        "a 1 1.5",
        "a one",
        "{b=\"c\"} 1",
        "a-b 1",
        "a{b=\"c\",b=\"d\"} 1",
        "a{,} 1",
        "a{b=\"c\"}",
        "a\u{a0}1",
    ] {
        assert_eq!(parse(line, Format::Prometheus), Err(Malformed), "{line}");
    }
    let text = b"a 1\nb one\n\xff 1\nc 3";
    let read: Vec<_> = samples(text, Format::Prometheus)
        .map(|sample| sample.is_ok())
        .collect();
    assert_eq!(read, [true, false, false, true]);
}

#[test]
fn spark_endpoints_are_read_whole() {
    let servlet = include_bytes!("../../../../../tests/corpora/spark-metrics/spark-servlet.prom");
    let executors =
        include_bytes!("../../../../../tests/corpora/spark-metrics/spark-executors.prom");
    for (text, lines) in [(servlet.as_slice(), 438), (executors.as_slice(), 42)] {
        let read: Result<Vec<_>, _> = samples(text, Format::Prometheus).collect();
        assert_eq!(read.unwrap().len(), lines);
    }
    let sample = samples(executors, Format::Prometheus)
        .nth(2)
        .unwrap()
        .unwrap();
    assert_eq!(
        sample.labels.get("application_name").as_deref(),
        Some("prom test")
    );
}

#[test]
fn format_follows_the_content_type() {
    for (content_type, format) in [
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::OpenMetrics,
        ),
        ("Application/OpenMetrics-Text", Format::OpenMetrics),
        ("text/plain; version=0.0.4", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(
            Format::of_content_type(content_type),
            format,
            "{content_type}"
        );
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        labels in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", "\\PC{0,12}|[\\\\\"\n=,{} ]{0,6}", 0..6),
        value: f64,
        timestamp in proptest::option::of(any::<i64>()),
    ) {
        let mut line = format!("{name}{{");
        for (label, value) in &labels {
            write!(line, "{label}=\"{}\",", escape(value)).unwrap();
        }
        write!(line, "}} {value:?}").unwrap();
        if let Some(timestamp) = timestamp {
            write!(line, " {timestamp}").unwrap();
        }
        let sample = parse(&line, Format::Prometheus).unwrap().unwrap();
        prop_assert_eq!(sample.name, name);
        let read: std::collections::BTreeMap<_, _> =
            sample.labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        prop_assert_eq!(read, labels);
        prop_assert!(sample.value.to_bits() == value.to_bits() || value.is_nan() && sample.value.is_nan());
        prop_assert_eq!(sample.timestamp_seconds, timestamp.map(|milliseconds| milliseconds.div_euclid(1000)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        for format in [Format::Prometheus, Format::OpenMetrics] {
            for sample in samples(&bytes, format).flatten() {
                sample.labels.iter().for_each(drop);
            }
        }
    }

    #[test]
    fn almost_samples_never_panic(line in "[a{}=\",\\\\ #1.e+\t\näN:_-]{0,40}") {
        for format in [Format::Prometheus, Format::OpenMetrics] {
            for sample in samples(line.as_bytes(), format).flatten() {
                sample.labels.iter().for_each(drop);
            }
        }
    }
}
