use jiff::Timestamp;

use super::*;
use crate::domain::{
    rules::{ClusterSettings, Defaults, OverridePolicy},
    submission::tests::application,
};

fn cluster(name: &str, settings: ClusterSettings) -> Cluster {
    Cluster {
        name: name.to_owned(),
        state: ClusterState::Active,
        settings,
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

fn fleet(clusters: impl IntoIterator<Item = Cluster>) -> Fleet {
    let by_name = clusters.into_iter().map(|one| (one.name.clone(), one));
    Fleet {
        clusters: by_name.collect(),
        ..Fleet::default()
    }
}

fn of(architectures: &[Architecture]) -> ClusterSettings {
    ClusterSettings {
        architectures: architectures.to_vec(),
        ..ClusterSettings::default()
    }
}

fn names(candidates: &Candidates) -> Vec<Vec<&str>> {
    let Candidates::Now(rounds) = candidates else {
        panic!("{candidates:?}")
    };
    rounds
        .iter()
        .map(|round| round.launch_by_cluster.keys().map(String::as_str).collect())
        .collect()
}

fn all_open(application: &Application, fleet: &Fleet) -> Candidates {
    candidates(application, None, fleet, |_| true)
}

#[test]
fn active_open_clusters_are_asked_together() {
    let mut drained = cluster("c", ClusterSettings::default());
    drained.state = ClusterState::Draining;
    let fleet = fleet([
        cluster("a", ClusterSettings::default()),
        cluster("b", ClusterSettings::default()),
        drained,
    ]);
    let application = application();
    assert_eq!(names(&all_open(&application, &fleet)), [["a", "b"]]);
    let found = candidates(&application, None, &fleet, |name| name != "a");
    assert_eq!(names(&found), [["b"]]);
    let found = candidates(&application, None, &fleet, |_| false);
    assert_eq!(found, Candidates::Later);
}

#[test]
fn a_fleet_that_is_empty_or_drained_may_not_stay_so() {
    let application = application();
    assert_eq!(all_open(&application, &fleet([])), Candidates::Later);
    let mut drained = cluster("a", ClusterSettings::default());
    drained.state = ClusterState::Drained;
    assert_eq!(all_open(&application, &fleet([drained])), Candidates::Later);
}

#[test]
fn processors_are_tried_in_the_order_of_the_request() {
    use Architecture::{Amd64, Arm64};
    let fleet = fleet([
        cluster("both", of(&[Amd64, Arm64])),
        cluster("intel", of(&[])),
    ]);
    let mut application = application();
    application.submission.spec.architectures = vec![Arm64, Amd64];
    let found = all_open(&application, &fleet);
    assert_eq!(names(&found), [vec!["both"], vec!["both", "intel"]]);
    let Candidates::Now(rounds) = found else {
        panic!()
    };
    let processors: Vec<_> = rounds
        .iter()
        .map(|round| round.launch_by_cluster["both"].architecture)
        .collect();
    assert_eq!(processors, [Some(Arm64), Some(Amd64)]);
}

#[test]
fn what_no_cluster_can_run_is_refused_with_the_reason() {
    let mut application = application();
    application.submission.spec.architectures = vec![Architecture::Arm64];
    let found = all_open(&application, &fleet([cluster("intel", of(&[]))]));
    let Candidates::Never(refusal) = found else {
        panic!("{found:?}")
    };
    assert_eq!(refusal.to_string(), "cluster intel has no nodes of arm64");
}

#[test]
fn a_shuffle_profile_and_a_policy_rule_clusters_out() {
    let with_profile = ClusterSettings {
        shuffle_profiles: [("celeborn".to_owned(), BTreeMap::new())].into(),
        ..ClusterSettings::default()
    };
    let mut application = application();
    application.submission.spec.shuffle_profile = "celeborn".to_owned();
    let plain = cluster("plain", ClusterSettings::default());
    let found = all_open(
        &application,
        &fleet([cluster("shuffle", with_profile.clone()), plain.clone()]),
    );
    assert_eq!(names(&found), [["shuffle"]]);
    let strict = ClusterSettings {
        policy: OverridePolicy {
            image_prefixes: vec!["trusted.example/".to_owned()],
            ..OverridePolicy::default()
        },
        ..with_profile
    };
    let found = all_open(&application, &fleet([cluster("strict", strict), plain]));
    assert!(matches!(found, Candidates::Never(_)), "{found:?}");
}

#[test]
fn what_is_missing_may_be_a_default_of_some_cluster_only() {
    let mut application = application();
    application.submission.spec.image = String::new();
    let with_image = ClusterSettings {
        defaults: Defaults {
            image: "registry.example/spark:4.0.1".to_owned(),
            ..Defaults::default()
        },
        ..ClusterSettings::default()
    };
    let plain = cluster("plain", ClusterSettings::default());
    let found = all_open(
        &application,
        &fleet([cluster("image", with_image), plain.clone()]),
    );
    assert_eq!(names(&found), [["image"]]);
    let found = all_open(&application, &fleet([plain]));
    let Candidates::Never(refusal) = found else {
        panic!("{found:?}")
    };
    assert_eq!(refusal.violations[0].field, "spec.image");
}
