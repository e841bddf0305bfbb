//! Where, how soon and for how long: processors, tiers and deadlines.

use std::{collections::BTreeMap, ops::RangeInclusive};

use moka_proto::submission::v1::{
    Architecture as WireArchitecture, Deadlines as WireDeadlines, Tier as WireTier,
};
use moka_rpc::Violations;

use super::{
    IMAGE_BYTES,
    text::{distinct, entry, word},
};
use crate::domain::spec::{Architecture, Deadlines, Tier};

/// A second to thirty days.
pub(in crate::domain) const DEADLINE_SECONDS: RangeInclusive<i64> = 1..=30 * 86_400;

/// Processors, of which none stands twice.
pub(in crate::domain) fn architectures(
    violations: &mut Violations,
    field: &str,
    numbers: &[i32],
) -> Vec<Architecture> {
    let known: Vec<_> = numbers
        .iter()
        .filter_map(|number| architecture(*number))
        .collect();
    if known.len() != numbers.len() {
        violations.add(field, "must be AMD64 or ARM64");
    }
    distinct(violations, field, &known);
    known
}

fn architecture(number: i32) -> Option<Architecture> {
    match WireArchitecture::try_from(number).ok()? {
        WireArchitecture::Amd64 => Some(Architecture::Amd64),
        WireArchitecture::Arm64 => Some(Architecture::Arm64),
        WireArchitecture::Unspecified => None,
    }
}

/// Images for single architectures.
pub(super) fn images(
    violations: &mut Violations,
    images: &BTreeMap<String, String>,
) -> BTreeMap<Architecture, String> {
    const FIELD: &str = "spec.image_by_architecture";
    let mut checked = BTreeMap::new();
    for (name, image) in images {
        let path = entry(FIELD, name);
        let known = Architecture::ALL
            .into_iter()
            .find(|one| one.as_str() == name);
        match known {
            None => violations.add(path, "must be amd64 or arm64"),
            Some(architecture) => {
                word(violations, &path, image, IMAGE_BYTES);
                checked.insert(architecture, image.clone());
            }
        }
    }
    checked
}

/// A tier; `None` when there is none.
pub(in crate::domain) fn tier(
    violations: &mut Violations,
    field: &str,
    number: i32,
) -> Option<Tier> {
    match WireTier::try_from(number) {
        Ok(WireTier::Tier1) => Some(Tier::One),
        Ok(WireTier::Tier2) => Some(Tier::Two),
        Ok(WireTier::Tier3) => Some(Tier::Three),
        Ok(WireTier::Unspecified) => None,
        Err(_) => {
            violations.add(field, "must be TIER_1, TIER_2 or TIER_3");
            None
        }
    }
}

/// Times after which an application is given up.
pub(in crate::domain) fn deadlines(
    violations: &mut Violations,
    path: &str,
    deadlines: Option<&WireDeadlines>,
) -> Deadlines {
    let WireDeadlines { queue, run, total } = deadlines.copied().unwrap_or_default();
    let mut one = |name, duration: Option<prost_types::Duration>| {
        let field = format!("{path}.{name}");
        seconds(violations, &field, duration.as_ref(), &DEADLINE_SECONDS)
    };
    Deadlines {
        queue_seconds: one("queue", queue),
        run_seconds: one("run", run),
        total_seconds: one("total", total),
    }
}

/// A duration of whole seconds within a range.
pub(in crate::domain) fn seconds(
    violations: &mut Violations,
    field: &str,
    duration: Option<&prost_types::Duration>,
    allowed: &RangeInclusive<i64>,
) -> Option<u32> {
    let duration = duration?;
    if duration.nanos != 0 {
        violations.add(field, "must be whole seconds");
    }
    let (least, most) = (allowed.start(), allowed.end());
    if !allowed.contains(&duration.seconds) {
        let rule = format!("must be {least} s to {most} s, is {} s", duration.seconds);
        violations.add(field, rule);
    }
    u32::try_from(duration.seconds).ok()
}
