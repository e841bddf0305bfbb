use jiff::Timestamp;
use moka_core::PodSize;
use proptest::prelude::*;

use super::*;
use crate::domain::queue_tree::QueueTree;

/// A cluster of which a test says everything that placement looks at.
#[derive(Debug, Clone)]
struct Cluster {
    maximum: Option<i64>,
    parent_maximum: Option<i64>,
    allocated: i64,
    capacity: i64,
    full: bool,
    status: &'static str,
    sorting_policy: &'static str,
    failing: bool,
    gpus: Option<i64>,
    gpu_maximum: Option<i64>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            maximum: None,
            parent_maximum: None,
            allocated: 0,
            capacity: 100_000,
            full: false,
            status: "Active",
            sorting_policy: "fifo",
            failing: false,
            gpus: None,
            gpu_maximum: None,
        }
    }
}

impl Cluster {
    fn tree(&self) -> QueueTree {
        let limit = |vcore: Option<i64>, gpus: Option<i64>| {
            let named = [("vcore", vcore), ("nvidia.com/gpu", gpus)];
            let limited = named
                .into_iter()
                .filter_map(|(name, limit)| Some((name, limit?)));
            serde_json::json!(limited.collect::<BTreeMap<_, _>>())
        };
        let allocated = limit(Some(self.allocated), None);
        let (max_apps, running) = if self.full { (2, 2) } else { (0, 0) };
        let json = serde_json::json!({
            "queuename": "root", "maxResource": limit(Some(self.capacity), self.gpus),
            "allocatedResource": allocated, "children": [{
                "queuename": "root.team", "maxResource": limit(self.parent_maximum, None),
                "allocatedResource": allocated, "children": [{
                    "queuename": "root.team.etl", "isLeaf": true, "status": self.status,
                    "sortingPolicy": self.sorting_policy, "maxResource": limit(self.maximum, self.gpu_maximum),
                    "allocatedResource": allocated, "maxRunningApps": max_apps,
                    "runningApps": running,
                }],
            }],
        });
        QueueTree::parse(json.to_string().as_bytes()).unwrap()
    }
}

fn fleet(clusters: &[(&str, Cluster)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (name, cluster) in clusters {
        fleet.observed(name, cluster.tree(), Timestamp::UNIX_EPOCH);
        if cluster.failing {
            fleet.failed(name);
        }
    }
    fleet
}

fn request(executor_count: u32) -> PlacementRequest {
    PlacementRequest {
        attempt: "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().unwrap(),
        queue: "root.team.etl".to_owned(),
        driver: pod(),
        executor: pod(),
        executor_count,
        executor_count_maximum: executor_count,
        clusters: Vec::new(),
        preferred_clusters: Vec::new(),
        node_selector: BTreeMap::new(),
    }
}

fn pod() -> PodResources {
    PodResources {
        size: PodSize {
            cpu_millicores: 1000,
            memory_bytes: 1,
        },
        extended: BTreeMap::new(),
    }
}

fn order(clusters: &[(&str, Cluster)], executor_count: u32) -> Vec<String> {
    let candidates = place(&request(executor_count), &fleet(clusters)).unwrap();
    candidates
        .into_iter()
        .map(|candidate| candidate.cluster)
        .collect()
}

#[test]
fn emptier_cluster_comes_first_and_names_break_ties() {
    let busy = Cluster {
        allocated: 50_000,
        ..Cluster::default()
    };
    let free = Cluster::default();
    assert_eq!(
        order(&[("a", busy), ("b", free.clone()), ("c", free)], 2),
        ["b", "c", "a"]
    );
}

#[test]
fn trouble_moves_a_cluster_back_but_not_out() {
    let good = Cluster {
        allocated: 50_000,
        ..Cluster::default()
    };
    for trouble in [
        Cluster {
            failing: true,
            ..Cluster::default()
        },
        Cluster {
            full: true,
            ..Cluster::default()
        },
        Cluster {
            capacity: 1000,
            ..Cluster::default()
        },
        Cluster {
            allocated: 99_000,
            ..Cluster::default()
        },
    ] {
        let clusters = [("a", trouble.clone()), ("b", good.clone())];
        assert_eq!(order(&clusters, 2), ["b", "a"], "{trouble:?}");
        assert_eq!(order(&[("a", trouble)], 2), ["a"]);
    }
}

#[test]
fn a_gang_beyond_an_ancestors_limit_is_refused_with_the_numbers() {
    let cluster = Cluster {
        parent_maximum: Some(2000),
        ..Cluster::default()
    };
    let error = place(&request(2), &fleet(&[("a", cluster.clone())])).unwrap_err();
    let told = "a: asks for 3000 millicores of at most 2000".to_owned();
    assert_eq!(error, NoPlace::GangTooLarge(told));
    assert_eq!(order(&[("a", cluster)], 1), ["a"]);
}

#[test]
fn unknown_and_inner_queues_are_unknown() {
    let fleet = fleet(&[("a", Cluster::default())]);
    for queue in ["root.team", "root.other", "etl", "ROOT.team.etl"] {
        let request = PlacementRequest {
            queue: queue.to_owned(),
            ..request(1)
        };
        let error = place(&request, &fleet).unwrap_err();
        assert!(
            matches!(error, NoPlace::UnknownQueue(_)),
            "{queue}: {error}"
        );
    }
}

#[test]
fn closed_queues_and_queues_without_gangs_take_nothing_now() {
    for cluster in [
        Cluster {
            status: "Draining",
            ..Cluster::default()
        },
        Cluster {
            status: "Stopped",
            ..Cluster::default()
        },
        Cluster {
            sorting_policy: "fair",
            ..Cluster::default()
        },
    ] {
        let error = place(&request(1), &fleet(&[("a", cluster)])).unwrap_err();
        assert!(matches!(error, NoPlace::Closed(_)), "{error}");
    }
}

#[test]
fn an_unread_cluster_may_have_the_queue() {
    let mut fleet = Fleet::new(["a".to_owned()]);
    assert!(matches!(
        place(&request(1), &fleet),
        Err(NoPlace::NotYetRead(_))
    ));
    fleet.failed("a");
    assert!(matches!(
        place(&request(1), &fleet),
        Err(NoPlace::Unanswered(_))
    ));
    let small = Cluster {
        maximum: Some(1),
        ..Cluster::default()
    };
    fleet.observed("b", small.tree(), Timestamp::UNIX_EPOCH);
    assert!(matches!(
        place(&request(1), &fleet),
        Err(NoPlace::Unanswered(_))
    ));
    fleet.observed("c", Cluster::default().tree(), Timestamp::UNIX_EPOCH);
    assert_eq!(place(&request(1), &fleet).unwrap()[0].cluster, "c");
}

#[test]
fn only_the_clusters_that_were_asked_for_are_considered() {
    let fleet = fleet(&[("a", Cluster::default()), ("b", Cluster::default())]);
    let request = PlacementRequest {
        clusters: vec!["b".to_owned()],
        ..request(1)
    };
    let candidates = place(&request, &fleet).unwrap();
    assert_eq!(candidates.len(), 1);
    assert_eq!(candidates[0].cluster, "b");
}

#[test]
fn preferred_clusters_come_first_and_those_that_start_at_once_before_the_others() {
    let free = Cluster::default();
    let busy = Cluster {
        allocated: 50_000,
        ..Cluster::default()
    };
    let waits = Cluster {
        allocated: 99_000,
        ..Cluster::default()
    };
    let closed = Cluster {
        status: "Draining",
        ..Cluster::default()
    };
    let clusters = [
        ("busy", busy),
        ("closed", closed),
        ("free", free.clone()),
        ("other", free),
        ("waits", waits),
    ];
    let order = |preferred: &[&str]| -> Vec<String> {
        let request = PlacementRequest {
            preferred_clusters: preferred.iter().map(|name| (*name).to_owned()).collect(),
            ..request(2)
        };
        let candidates = place(&request, &fleet(&clusters)).unwrap();
        let told = |candidate: &Candidate| {
            let reason = "the request prefers it".to_owned();
            candidate.reasons.contains(&reason) == preferred.contains(&candidate.cluster.as_str())
        };
        assert!(candidates.iter().all(told), "{candidates:?}");
        candidates.into_iter().map(|one| one.cluster).collect()
    };
    let by_score = ["free", "other", "busy", "waits", "closed"];
    assert_eq!(order(&[]), by_score);
    assert_eq!(order(&["nowhere"]), by_score);
    assert_eq!(
        order(&["closed", "waits", "busy", "free"]),
        ["busy", "free", "waits", "other", "closed"]
    );
}

#[test]
fn the_queue_must_hold_as_many_executors_as_there_may_ever_be() {
    let cluster = Cluster {
        maximum: Some(3000),
        ..Cluster::default()
    };
    let fleet = fleet(&[("a", cluster)]);
    let place_with = |executor_count_maximum| {
        let request = PlacementRequest {
            executor_count_maximum,
            ..request(0)
        };
        place(&request, &fleet)
    };
    assert_eq!(place_with(2).unwrap()[0].cluster, "a");
    let told = "a: asks for 4000 millicores of at most 3000".to_owned();
    assert_eq!(place_with(3), Err(NoPlace::GangTooLarge(told)));
}

#[test]
fn devices_count_against_the_queue_and_a_cluster_without_them_comes_last() {
    let with = |gpus, gpu_maximum| Cluster {
        gpus,
        gpu_maximum,
        ..Cluster::default()
    };
    let clusters = [
        ("has", with(Some(8), None)),
        ("none", with(None, None)),
        ("small", with(Some(8), Some(1))),
    ];
    let mut request = request(2);
    request.executor.extended = [("nvidia.com/gpu".to_owned(), 1)].into();
    let candidates = place(&request, &fleet(&clusters)).unwrap();
    let told: Vec<_> = candidates
        .iter()
        .map(|one| {
            (
                one.cluster.as_str(),
                one.eligible,
                one.reasons.last().unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("has", true, "fits now, 75 % stay free"),
            (
                "none",
                true,
                "the cluster has no node with nvidia.com/gpu now"
            ),
            ("small", false, "asks for 2 nvidia.com/gpu of at most 1"),
        ]
    );
}

fn any_cluster() -> impl Strategy<Value = Cluster> {
    (
        proptest::option::of(0..20_000_i64),
        proptest::option::of(0..20_000_i64),
        0..20_000_i64,
        0..20_000_i64,
        any::<[bool; 4]>(),
    )
        .prop_map(
            |(maximum, parent_maximum, allocated, capacity, [full, open, fifo, failing])| Cluster {
                maximum,
                parent_maximum,
                allocated,
                capacity,
                full,
                status: if open { "Active" } else { "Draining" },
                sorting_policy: if fifo { "fifo" } else { "fair" },
                failing,
                gpus: None,
                gpu_maximum: None,
            },
        )
}

proptest! {
    #[test]
    fn placement_is_deterministic_and_never_chooses_a_queue_that_cannot_hold_the_gang(
        clusters in proptest::collection::vec(any_cluster(), 1..6),
        executor_count in 0..20_u32,
    ) {
        let named: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().zip(clusters).collect();
        let reversed: Vec<_> = named.iter().rev().cloned().collect();
        let request = request(executor_count);
        let answer = place(&request, &fleet(&named));
        prop_assert_eq!(&answer, &place(&request, &fleet(&reversed)), "the order of polling is no input");
        let gang_millicores = 1000 * (i64::from(executor_count) + 1);
        let could = |cluster: &Cluster| {
            cluster.maximum.is_none_or(|maximum| gang_millicores <= maximum)
                && cluster.parent_maximum.is_none_or(|maximum| gang_millicores <= maximum)
                && cluster.status == "Active"
                && cluster.sorting_policy == "fifo"
        };
        match answer {
            Ok(candidates) => {
                prop_assert_eq!(candidates.len(), named.len());
                prop_assert!(candidates[0].eligible);
                prop_assert!(candidates.is_sorted_by(|a, b| a.score >= b.score));
                for candidate in &candidates {
                    let (_, cluster) =
                        named.iter().find(|(name, _)| *name == candidate.cluster).unwrap();
                    prop_assert_eq!(candidate.eligible, could(cluster));
                    prop_assert!(!candidate.reasons.is_empty());
                    let range = if candidate.eligible { 0.01..=1.0 } else { 0.0..=0.0 };
                    prop_assert!(range.contains(&candidate.score), "{:?}", candidate);
                }
            }
            Err(_) => prop_assert!(!named.iter().any(|(_, cluster)| could(cluster))),
        }
    }
}
