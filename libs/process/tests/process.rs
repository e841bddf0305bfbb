//! The example service as a real process: signals, exit codes, the admin port, the command line.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support")]

use std::time::Duration;

#[path = "process/idle.rs"]
mod idle;

use idle::Idle;

#[test]
fn sigterm_drains_and_ends_clean() {
    let mut idle = Idle::run(&[]);
    idle.wait_for_admin_port();
    idle.signal("TERM");
    assert_eq!(idle.exit_code(), 0);
    assert!(idle.log().contains("draining"), "{}", idle.log());
}

#[test]
fn sigint_drains_and_ends_clean() {
    let mut idle = Idle::run(&[]);
    idle.wait_for_admin_port();
    idle.signal("INT");
    assert_eq!(idle.exit_code(), 0);
}

#[test]
fn readiness_goes_while_tasks_drain_and_the_second_signal_ends_at_once() {
    let mut idle = Idle::run(&["--behaviour", "hang"]);
    idle.wait_for_admin_port();
    idle.wait_until(|idle| idle.http("GET", "/readyz", "").0 == 200);
    idle.signal("TERM");
    idle.wait_until(|idle| idle.http("GET", "/readyz", "").0 == 503);
    let (_, body) = idle.http("GET", "/readyz", "");
    assert_eq!(body, "not ready: not stopping\n");
    assert_eq!(idle.http("GET", "/livez", "").0, 200);
    idle.signal("TERM");
    assert_eq!(idle.exit_code(), 143);
}

#[test]
fn task_that_does_not_stop_is_named_after_the_grace() {
    let mut idle = Idle::run(&["--behaviour", "hang", "--shutdown-grace-seconds", "0"]);
    idle.wait_for_admin_port();
    idle.signal("INT");
    assert_eq!(idle.exit_code(), 70);
    assert!(
        idle.log().contains("did not stop within 0 s: stubborn"),
        "{}",
        idle.log()
    );
}

#[test]
fn failed_task_ends_the_process_and_is_told_with_its_cause() {
    let mut idle = Idle::run(&["--behaviour", "fail"]);
    assert_eq!(idle.exit_code(), 70);
    let chain = "task failing failed: writing the index: disk full";
    assert_eq!(idle.log().matches(chain).count(), 1, "{}", idle.log());
}

#[test]
fn missing_dependency_has_its_own_exit_code() {
    let mut idle = Idle::run(&["--behaviour", "miss"]);
    assert_eq!(idle.exit_code(), 69);
    assert!(
        idle.log().contains("not available: connection refused"),
        "{}",
        idle.log()
    );
}

#[test]
fn service_may_stop_itself() {
    assert_eq!(Idle::run(&["--behaviour", "finish"]).exit_code(), 0);
}

#[test]
fn unknown_options_and_bad_filters_are_usage_errors() {
    for arguments in [
        ["--log-format", "xml"],
        ["--log-filter", "moka=loud"],
        ["--nothing", "1"],
    ] {
        assert_eq!(Idle::run(&arguments).exit_code(), 2, "{arguments:?}");
    }
}

#[test]
fn help_is_no_error() {
    assert_eq!(Idle::run(&["--help"]).exit_code(), 0);
}

#[test]
fn other_machines_are_refused_unless_allowed() {
    let mut refused = Idle::run(&["--admin-listen", "0.0.0.0:0"]);
    assert_eq!(refused.exit_code(), 78);
    assert!(
        refused.log().contains("--insecure-listen"),
        "{}",
        refused.log()
    );

    let mut allowed = Idle::run(&["--admin-listen", "0.0.0.0:0", "--insecure-listen"]);
    allowed.wait_for_admin_port();
    assert!(allowed.log().contains("without TLS"), "{}", allowed.log());
    allowed.signal("TERM");
    assert_eq!(allowed.exit_code(), 0);
}

#[test]
fn unreachable_collector_does_not_hold_the_process() {
    let mut idle = Idle::run(&["--otlp-endpoint", "http://127.0.0.1:9"]);
    idle.wait_for_admin_port();
    idle.signal("TERM");
    assert_eq!(idle.exit_code_within(Duration::from_secs(10)), 0);
}

#[test]
fn metrics_name_the_build() {
    let mut idle = Idle::run(&[]);
    idle.wait_for_admin_port();
    let (status, body) = idle.http("GET", "/metrics", "");
    assert_eq!(status, 200);
    assert!(
        body.contains("moka_build_info{service=\"idle\",version=\""),
        "{body}"
    );
    assert!(body.ends_with("# EOF\n"), "{body}");
    let head = idle.http_head("/metrics");
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
}

#[test]
fn log_filter_can_be_read_and_changed() {
    let mut idle = Idle::run(&[]);
    idle.wait_for_admin_port();
    assert_eq!(
        idle.http("GET", "/log-filter", ""),
        (200, "info\n".to_owned())
    );
    let (status, body) = idle.http("PUT", "/log-filter", "moka=loud");
    assert_eq!(status, 400);
    assert!(body.contains("expected one of"), "{body}");
    assert_eq!(idle.http("PUT", "/log-filter", "error,kube=debug\n").0, 200);
    assert_eq!(idle.http("GET", "/log-filter", "").1, "kube=debug,error\n");
    idle.signal("TERM");
    assert_eq!(idle.exit_code(), 0);
    assert!(
        !idle.log().contains("draining"),
        "the drain is told at info: {}",
        idle.log()
    );
}
