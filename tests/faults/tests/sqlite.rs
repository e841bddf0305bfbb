//! Random faults with fixed seeds over SQLite. PostgreSQL is in `tests/control-plane`.

use moka_tests_faults::{Scenario, run_fast};

#[test]
fn nothing_is_lost_doubled_or_untold_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario {
        url: format!("sqlite:{}", folder.path().join("submission.db").display()),
        seed: 1,
        applications: 350,
        faults: 5_000,
    };
    let report = run_fast(scenario.run());
    println!("{}: {:#?}", report.fault_count(), report);
    assert!(report.fault_count() >= 5_000, "{report:#?}");
}
