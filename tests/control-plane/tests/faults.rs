//! Random faults with fixed seeds over PostgreSQL. SQLite is in `tests/faults`.

use moka_tests_faults::{Scenario, run_fast};
use moka_xtask::postgres::TemporaryPostgres;

#[test]
fn nothing_is_lost_doubled_or_untold_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TemporaryPostgres::start()).unwrap();
    let scenario = Scenario {
        url: server.url(),
        seed: 2,
        applications: 350,
        faults: 5_000,
    };
    let report = run_fast(scenario.run());
    println!("{} faults: {report:#?}", report.fault_count());
    assert!(report.fault_count() >= 5_000, "{report:#?}");
}
