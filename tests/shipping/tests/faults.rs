//! A hundred runs of log-shipper under random faults; their seeds are fixed.

use moka_tests_shipping::{Report, runs};

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_lost_or_repeated_for_a_reader_whatever_fails() {
    let report: Report = runs(0, 100).await;
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    assert_eq!(report.runs, 100);
    for event in [
        "answered_500",
        "answered_503",
        "crashes",
        "ends_with_a_spool",
        "hung",
        "kills",
        "outages",
        "reset_after_body",
        "reset_before",
        "rotations",
        "stops",
        "truncations",
    ] {
        let count = report.events.get(event).copied().unwrap_or_default();
        assert!(count >= 10, "{event} happened {count} times only");
    }
}
