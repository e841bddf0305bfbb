//! From a file's path to the keys of its objects.

use glob::{MatchOptions, Pattern};
use onig::{Regex, RegexOptions, Syntax};

use super::{Section, of_kind};

const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

/// As glob(3) matches a path.
fn takes(input: &Section, path: &str) -> bool {
    let matches = |pattern: &str| {
        let options = MatchOptions {
            require_literal_separator: true,
            ..MatchOptions::default()
        };
        Pattern::new(pattern)
            .expect("a pattern")
            .matches_with(path, options)
    };
    let excluded = input.get("exclude_path");
    matches(input.get("path")) && (excluded.is_empty() || !matches(excluded))
}

fn regex(pattern: &str) -> Regex {
    // Fluent Bit compiles its patterns as Ruby's.
    Regex::with_options(pattern, RegexOptions::REGEX_OPTION_NONE, Syntax::ruby())
        .expect("a pattern")
}

/// The tag of a file, when the pattern fits.
fn tag(input: &Section, path: &str) -> Option<String> {
    let regex = regex(input.get("tag_regex"));
    let captures = regex.captures(path)?;
    let mut tag = input.get("tag").to_owned();
    regex.foreach_name(|name, groups| {
        let value = captures.at(groups[0] as usize).unwrap_or_default();
        tag = tag.replace(&format!("<{name}>"), value);
        true
    });
    Some(tag)
}

/// The part of the key before the object's own name.
fn prefix(tag: &str) -> String {
    let outputs = of_kind("OUTPUT");
    let fits = |output: &&Section| {
        Pattern::new(output.get("match"))
            .expect("a pattern")
            .matches(tag)
    };
    let found: Vec<_> = outputs.iter().filter(fits).collect();
    assert_eq!(found.len(), 1, "{tag} goes to one output");
    let output = found[0];
    assert!(output.get("s3_key_format_tag_delimiters") == "/" || !tag.contains('/'));
    let mut key = output.get("s3_key_format").replace("${CLUSTER}", "local");
    for (index, part) in tag.split('/').enumerate() {
        key = key.replace(&format!("$TAG[{index}]"), part);
    }
    let (prefix, name) = key.rsplit_once('/').expect("a key has segments");
    assert_eq!(name, "%Y%m%dT%H%M%S-local-$UUID.jsonl.zst");
    prefix.trim_start_matches('/').to_owned()
}

/// Where the lines of a file go; `None` when no input takes the file.
fn destination(path: &str) -> Option<String> {
    let inputs = of_kind("INPUT");
    let taking: Vec<_> = inputs.iter().filter(|input| takes(input, path)).collect();
    assert!(taking.len() <= 1, "{path} is shipped twice");
    let tag = tag(taking.first()?, path);
    Some(prefix(&tag.expect("what an input takes has a tag")))
}

#[test]
fn objects_lie_where_log_shipper_would_put_them() {
    let pods = "/var/log/pods";
    let events = "/var/lib/moka/events";
    for (path, expected) in [
        (
            format!("{pods}/spark-jobs_{ID}-1-driver_4b5c-6/spark-kubernetes-driver/0.log"),
            format!("logs/qz/{ID}/1/containers/{ID}-1-driver/spark-kubernetes-driver"),
        ),
        (
            format!("{pods}/team-a_{ID}-12-exec-7_4b5c/spark-kubernetes-executor/3.log"),
            format!("logs/qz/{ID}/12/containers/{ID}-12-exec-7/spark-kubernetes-executor"),
        ),
        (
            format!("{events}/{ID}-2/spark-0123456789abcdef"),
            format!("logs/qz/{ID}/2/events/spark-0123456789abcdef"),
        ),
        (
            format!("{events}/{ID}-2/spark-0123456789abcdef.inprogress"),
            format!("logs/qz/{ID}/2/events/spark-0123456789abcdef"),
        ),
        (
            format!("{pods}/yunikorn_yunikorn-scheduler-6d4f-x2_77/yunikorn-scheduler/0.log"),
            "system/local/yunikorn/yunikorn-scheduler-6d4f-x2/yunikorn-scheduler".to_owned(),
        ),
        (
            format!("{pods}/kube-system_etcd-ip-10-0-0-1.ec2.internal_9f/etcd/0.log"),
            "system/local/kube-system/etcd-ip-10-0-0-1.ec2.internal/etcd".to_owned(),
        ),
        // An m and 26 characters, but no application's id.
        (
            format!("{pods}/moka_metrics-exporter-7d9f8b6c5d-abcde_1/main/0.log"),
            "system/local/moka/metrics-exporter-7d9f8b6c5d-abcde/main".to_owned(),
        ),
        // An application's id, but no attempt.
        (
            format!("{pods}/team-a_{ID}-ui_1/main/0.log"),
            format!("system/local/team-a/{ID}-ui/main"),
        ),
    ] {
        assert_eq!(destination(&path), Some(expected), "{path}");
    }
}

#[test]
fn what_no_shipper_should_take_is_left_alone() {
    for path in [
        // Tail follows a renamed file by its inode; the kubelet's compressed copies are no lines.
        format!("/var/log/pods/spark-jobs_{ID}-1-driver_4b5c/main/0.log.20261121-030405"),
        format!("/var/log/pods/spark-jobs_{ID}-1-driver_4b5c/main/0.log.20261121-030405.gz"),
        "/var/lib/moka/events/lost+found/x".to_owned(),
        format!("/var/lib/moka/events/{ID}-0/spark-1"),
    ] {
        assert_eq!(destination(&path), None, "{path}");
    }
}

#[test]
fn summaries_of_finished_applications_are_recognised() {
    let filters = of_kind("FILTER");
    let filter = filters
        .iter()
        .find(|filter| filter.get("name") == "rewrite_tag")
        .expect("a filter");
    let rule: Vec<_> = filter.get("rule").split(' ').collect();
    // Fluent Bit divides a rule at its spaces.
    let [key, pattern, new_tag, keep] = rule[..] else {
        unreachable!("{rule:?} are not four words");
    };
    assert_eq!((key, new_tag, keep), ("$log", "usage", "true"));
    assert_eq!(prefix(new_tag), "usage/local");
    assert!(
        Pattern::new(filter.get("match"))
            .expect("a pattern")
            .matches("system/yunikorn/a/b")
    );
    let regex = regex(pattern);
    for (line, expected) in [
        (
            "2026-01-02T03:04:05.6Z stdout F 2026-01-02T03:04:05.678Z\tINFO\tcore.scheduler.application.usage\tobjects/application_summary.go:60\tYK_APP_SUMMARY: {ApplicationID: spark-01, State: Completed}",
            true,
        ),
        (
            "2026-01-02T03:04:05.6Z stderr F 2024-01-02T03:04:05.678Z\tINFO\tcore.scheduler.application.usage\tobjects/application.go:134\tYK_APP_SUMMARY:\t{\"appID\": \"app-1\"}",
            true,
        ),
        (
            "2026-01-02T03:04:05.6Z stdout F 2026-01-02T03:04:05.678Z\tINFO\tcore\tno summary",
            false,
        ),
        (
            "2026-01-02T03:04:05.6Z stdout F about YK_APP_SUMMARY lines",
            false,
        ),
    ] {
        assert_eq!(regex.find(line).is_some(), expected, "{line}");
    }
}
