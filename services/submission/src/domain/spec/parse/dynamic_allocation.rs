//! Executors that come and go.

use std::ops::RangeInclusive;

use moka_proto::submission::v1::DynamicAllocation as WireDynamicAllocation;
use moka_rpc::Violations;

use super::{pods::INSTANCES, scheduling::seconds};
use crate::domain::spec::DynamicAllocation;

const FIELD: &str = "spec.dynamic_allocation";
const IDLE_SECONDS: RangeInclusive<i64> = 1..=86_400;

pub(super) fn parse(
    violations: &mut Violations,
    dynamic: Option<&WireDynamicAllocation>,
) -> Option<DynamicAllocation> {
    let WireDynamicAllocation {
        min_executors,
        max_executors,
        initial_executors,
        idle_timeout,
    } = dynamic?;
    let most = *INSTANCES.end();
    violations.range(&format!("{FIELD}.max_executors"), max_executors, &INSTANCES);
    for (name, count) in [
        ("min_executors", min_executors),
        ("initial_executors", initial_executors),
    ] {
        let field = format!("{FIELD}.{name}");
        violations.range(&field, count, &(0..=most));
        if count > max_executors {
            violations.add(
                field,
                format!("must be at most max_executors, which is {max_executors}"),
            );
        }
    }
    if *initial_executors != 0 && initial_executors < min_executors {
        let rule = format!("must be 0 or at least min_executors, which is {min_executors}");
        violations.add(format!("{FIELD}.initial_executors"), rule);
    }
    let idle = seconds(
        violations,
        &format!("{FIELD}.idle_timeout"),
        idle_timeout.as_ref(),
        &IDLE_SECONDS,
    );
    Some(DynamicAllocation {
        min_executors: min_executors.unsigned_abs(),
        max_executors: max_executors.unsigned_abs(),
        initial_executors: initial_executors.max(min_executors).unsigned_abs(),
        idle_timeout_seconds: idle,
    })
}
