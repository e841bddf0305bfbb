//! Every alerting rule, evaluated by the real vmalert over series of a healthy and of a sick
//! service.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use moka_core::clock::{Clock as _, SystemClock};
use moka_xtask::{metrics_server::TemporaryMetrics, workspace};
use serde::Deserialize;
use serde_json::Value;

const RULES: &str = "deploy/kustomize/platform/alerts";
const RULE_FILES: [&str; 2] = ["submission.yaml", "logs.yaml"];
/// What metrics' names begin with, and the sources that register them.
const SOURCES: [(&str, &[&str]); 3] = [
    (
        "moka_submission_",
        &["services/submission/src", "libs/rpc/src", "libs/db/src"],
    ),
    ("moka_log_shipper_", &["services/log-shipper/src"]),
    (
        "moka_log_broker_",
        &["services/log-broker/src", "libs/rpc/src"],
    ),
];
/// How often series have a point, and rules are evaluated.
const STEP_SECONDS: i64 = 30;
/// How long each case lasts: longer than any rule looks back.
const CASE_SECONDS: i64 = 2 * 3600;

/// Series, and the alerts that must fire over them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Exactly these; none for a healthy service.
    #[serde(default)]
    fires: BTreeSet<String>,
    /// Series that differ from those of the first case.
    #[serde(default)]
    series: BTreeMap<String, Line>,
    /// Series of the first case that are not there.
    #[serde(default)]
    without: BTreeSet<String>,
}

/// A straight line: its first value, and how much it rises in a minute.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    from: f64,
    #[serde(default)]
    per_minute: f64,
}

#[derive(Debug, Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    annotations: BTreeMap<String, String>,
}

fn rules_file(file: &str) -> PathBuf {
    workspace::root().join(RULES).join(file)
}

fn rules(file: &str) -> Vec<Rule> {
    let text = fs::read_to_string(rules_file(file)).unwrap();
    let file: RuleFile = serde_saphyr::from_str(&text).unwrap();
    file.groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

fn cases(file: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts");
    let path = folder.join(file);
    let mut cases: Vec<Case> = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let healthy = cases[0].series.clone();
    for case in &mut cases[1..] {
        let unknown = case
            .without
            .iter()
            .find(|series| !healthy.contains_key(*series));
        assert_eq!(unknown, None, "{}", case.name);
        for (series, line) in healthy
            .iter()
            .filter(|(series, _)| !case.without.contains(*series))
        {
            case.series.entry(series.clone()).or_insert(*line);
        }
    }
    cases
}

/// When a case begins: one after the other, with a pause that no rule looks over.
fn window(index: usize, base: Timestamp) -> (Timestamp, Timestamp) {
    let index = i64::try_from(index).unwrap();
    let from = base + SignedDuration::from_secs(index * 2 * CASE_SECONDS);
    (from, from + SignedDuration::from_secs(CASE_SECONDS))
}

fn exposition(case: &Case, from: Timestamp) -> String {
    let mut text = String::new();
    for (series, line) in &case.series {
        for step in 0..=CASE_SECONDS / STEP_SECONDS {
            let seconds = step * STEP_SECONDS;
            let minutes = f64::from(i32::try_from(seconds).unwrap()) / 60.0;
            let value = line.from + line.per_minute * minutes;
            let time = from.as_millisecond() + seconds * 1000;
            writeln!(text, "{series} {value} {time}").unwrap();
        }
    }
    text
}

async fn firing(server: &TemporaryMetrics, from: Timestamp, to: Timestamp) -> BTreeSet<String> {
    let client = reqwest::Client::new();
    let query = format!(
        "query=ALERTS%7Balertstate%3D%22firing%22%7D&start={}&end={}&step={STEP_SECONDS}",
        from.as_second(),
        to.as_second()
    );
    let answer: Value = client
        .get(format!("{}/api/v1/query_range?{query}", server.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let series = answer["data"]["result"].as_array().unwrap();
    let name = |one: &Value| one["metric"]["alertname"].as_str().unwrap().to_owned();
    series.iter().map(name).collect()
}

async fn post(url: String, body: String) {
    let answer = reqwest::Client::new()
        .post(url)
        .body(body)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

#[tokio::test]
async fn each_alert_of_submission_fires_over_what_it_is_for_and_none_over_a_healthy_service() {
    check("submission.yaml").await;
}

#[tokio::test]
async fn each_alert_of_the_logs_fires_over_what_it_is_for_and_none_over_healthy_services() {
    check("logs.yaml").await;
}

async fn check(file: &str) {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let server = TemporaryMetrics::start().await.unwrap();
    let cases = cases(file);
    let base = SystemClock.now() - SignedDuration::from_hours(24 * 60);
    for (index, case) in cases.iter().enumerate() {
        let (from, _) = window(index, base);
        let import = format!("{}/api/v1/import/prometheus", server.url());
        post(import, exposition(case, from)).await;
    }
    post(
        format!("{}/internal/force_flush", server.url()),
        String::new(),
    )
    .await;
    for (index, case) in cases.iter().enumerate() {
        let (from, to) = window(index, base);
        server.replay(&rules_file(file), from, to).await.unwrap();
        post(
            format!("{}/internal/force_flush", server.url()),
            String::new(),
        )
        .await;
        assert_eq!(firing(&server, from, to).await, case.fires, "{}", case.name);
    }
    let tested: BTreeSet<_> = cases.iter().flat_map(|case| case.fires.clone()).collect();
    let all: BTreeSet<_> = rules(file).into_iter().map(|rule| rule.alert).collect();
    assert_eq!(tested, all, "every alert has a case in which it fires");
}

#[test]
fn each_alert_tells_where_to_read_on() {
    let runbook = fs::read_to_string(workspace::root().join("docs/operations.md")).unwrap();
    for Rule {
        alert, annotations, ..
    } in RULE_FILES.into_iter().flat_map(rules)
    {
        assert!(!annotations["summary"].is_empty(), "{alert}");
        let heading = format!("### {alert}\n");
        assert!(
            runbook.contains(&heading),
            "docs/operations.md lacks {alert}"
        );
        let link = format!("docs/operations.md#{}", alert.to_lowercase());
        assert_eq!(annotations["runbook"], link, "{alert}");
    }
}

/// A rule over a metric that does not exist never fires, and nobody notices.
#[test]
fn alerts_look_only_at_metrics_that_exist() {
    for (prefix, folders) in SOURCES {
        let registered = registered_names(folders);
        for Rule { alert, expr, .. } in RULE_FILES.into_iter().flat_map(rules) {
            let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.filter_map(|word| word.strip_prefix(prefix)) {
                let known = ["", "_total", "_bucket", "_sum", "_count"]
                    .iter()
                    .any(|suffix| {
                        name.strip_suffix(suffix)
                            .is_some_and(|name| registered.contains(name))
                    });
                assert!(known, "{alert}: {prefix}{name} does not exist");
            }
        }
    }
}

/// A metric with a prefix that the test above does not know would pass it.
#[test]
fn alerts_look_at_no_other_services() {
    for Rule { alert, expr, .. } in RULE_FILES.into_iter().flat_map(rules) {
        let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("moka_")) {
            let known = SOURCES.iter().any(|(prefix, _)| word.starts_with(prefix));
            assert!(known || word == "moka_build_info", "{alert}: {word}");
        }
    }
}

/// The names that sources register, with their units.
fn registered_names(folders: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in folders {
        for path in workspace::files(folder, ".rs").unwrap() {
            let text = fs::read_to_string(workspace::root().join(path)).unwrap();
            for call in text.split(".register").skip(1) {
                let mut quoted = call.split('"').skip(1).step_by(2);
                if let Some(name) = quoted.next().filter(|_| call.starts_with(['(', '_'])) {
                    let unit = match call {
                        _ if call.contains("Unit::Seconds") => "_seconds",
                        _ if call.contains("Unit::Bytes") => "_bytes",
                        _ => "",
                    };
                    names.insert(format!("{name}{unit}"));
                }
            }
        }
    }
    names
}
