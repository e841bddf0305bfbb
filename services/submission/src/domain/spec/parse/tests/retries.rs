//! Limits of deadlines and retry policies.

use moka_proto::submission::v1 as wire;
use prost_types::Duration;
use wire::{ApplicationSpec, ExitCategory as Category};

use super::{check_number, faults, refused, seconds};

/// The least and the most, each with what is past it.
type Limits = [(i64, i64); 2];
type Set = fn(&mut wire::RetryPolicy, i64);

#[test]
fn deadlines_hold_to_the_second() {
    for (name, set) in [
        (
            "queue",
            (|all, one| all.queue = one) as fn(&mut wire::Deadlines, Option<Duration>),
        ),
        ("run", |all, one| all.run = one),
        ("total", |all, one| all.total = one),
    ] {
        let field = format!("spec.deadlines.{name}");
        let with = |spec: &mut ApplicationSpec, deadline: Option<Duration>| {
            let mut deadlines = wire::Deadlines::default();
            set(&mut deadlines, deadline);
            spec.deadlines = Some(deadlines);
        };
        for (at, past) in [(1, 0), (2_592_000, 2_592_001)] {
            check_number(&field, at, past, |spec, length| {
                with(spec, Some(seconds(length)));
            });
        }
        refused(&field, |spec| {
            with(
                spec,
                Some(Duration {
                    seconds: 1,
                    nanos: 1,
                }),
            );
        });
    }
}

#[test]
fn retries_hold_to_the_unit() {
    let with = |change: &dyn Fn(&mut wire::RetryPolicy)| {
        let mut policy = wire::RetryPolicy::default();
        change(&mut policy);
        faults(|spec| spec.retry = Some(policy))
    };
    let whole: [(&str, Limits, Set); 5] = [
        ("max_attempts", [(0, -1), (10, 11)], |policy, value| {
            policy.max_attempts = i32::try_from(value).unwrap();
        }),
        (
            "memory_growth_percent",
            [(100, 99), (400, 401)],
            |policy, value| {
                policy.memory_growth_percent = i32::try_from(value).unwrap();
            },
        ),
        (
            "max_memory_bytes",
            [(0, -1), (1 << 40, (1 << 40) + 1)],
            |policy, value| {
                policy.max_memory_bytes = value;
            },
        ),
        (
            "initial_backoff",
            [(1, 0), (3600, 3601)],
            |policy, value| {
                policy.initial_backoff = Some(seconds(value));
            },
        ),
        (
            "max_backoff",
            [(1, 0), (86_400, 86_401)],
            |policy, value| {
                policy.max_backoff = Some(seconds(value));
            },
        ),
    ];
    for (name, limits, set) in whole {
        for (at, past) in limits {
            assert!(with(&|policy| set(policy, at)).is_empty(), "{name} {at}");
            let found = with(&|policy| set(policy, past));
            assert_eq!(found, [format!("spec.retry.{name}")], "{past}");
        }
    }
    let categories = |all: Vec<wire::ExitCategory>| {
        let numbers: Vec<i32> = all.into_iter().map(Into::into).collect();
        with(&|policy| policy.categories = numbers.clone())
    };
    assert!(categories(vec![Category::NodeLost, Category::Unknown, Category::Quota]).is_empty());
    for never in [
        Category::Unspecified,
        Category::Success,
        Category::UserError,
        Category::Deleted,
        Category::Cancelled,
        Category::Deadline,
        Category::Rerouted,
    ] {
        assert_eq!(
            categories(vec![never]),
            ["spec.retry.categories"],
            "{never:?}"
        );
    }
    assert_eq!(
        categories(vec![Category::NodeLost; 2]),
        ["spec.retry.categories"]
    );
}
