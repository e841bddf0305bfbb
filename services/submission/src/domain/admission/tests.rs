use jiff::Timestamp;
use moka_core::ErrorReason;

use super::*;
use crate::domain::{
    rules::{ClusterSettings, ClusterState, Defaults},
    spec::{Deadlines, RetryRequest},
    submission::tests::request,
};

fn cluster(settings: ClusterSettings) -> Cluster {
    Cluster {
        name: "local".to_owned(),
        state: ClusterState::Active,
        settings,
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

fn submission(change: impl FnOnce(&mut moka_proto::submission::v1::ApplicationSpec)) -> Submission {
    let mut request = request();
    change(request.spec.as_mut().unwrap());
    Submission::parse(&request).unwrap()
}

fn fields(submission: &Submission, clusters: &[&Cluster]) -> Vec<String> {
    let rules = AdmissionRules {
        clusters: clusters.to_vec(),
        ..AdmissionRules::default()
    };
    let violations = match admit(submission, &rules) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert_eq!(error.reason, ErrorReason::InvalidField);
            error.violations
        }
    };
    violations.into_iter().map(|one| one.field).collect()
}

#[test]
fn one_cluster_that_completes_a_request_is_enough() {
    let incomplete = submission(|spec| spec.image.clear());
    let poor = cluster(ClusterSettings::default());
    let rich = cluster(ClusterSettings {
        defaults: Defaults {
            image: "registry.example/spark:4.0.1".to_owned(),
            ..Defaults::default()
        },
        ..ClusterSettings::default()
    });
    assert_eq!(fields(&incomplete, &[]), ["spec.image"]);
    assert_eq!(fields(&incomplete, &[&poor, &poor]), ["spec.image"]);
    assert!(fields(&incomplete, &[&poor, &rich]).is_empty());
    assert!(fields(&incomplete, &[&rich, &poor]).is_empty());
}

#[test]
fn a_shuffle_profile_must_be_known_to_some_cluster_once_there_is_one() {
    let with_profile = submission(|spec| spec.shuffle_profile = "celeborn".to_owned());
    let without = cluster(ClusterSettings::default());
    let with = cluster(ClusterSettings {
        shuffle_profiles: [("celeborn".to_owned(), [].into())].into(),
        ..ClusterSettings::default()
    });
    assert!(fields(&with_profile, &[]).is_empty());
    assert_eq!(fields(&with_profile, &[&without]), ["spec.shuffle_profile"]);
    assert!(fields(&with_profile, &[&without, &with]).is_empty());
}

fn project(defaults: Defaults) -> Project {
    Project {
        name: "team-a".to_owned(),
        defaults,
        policy: OverridePolicy::default(),
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn the_queue_may_be_the_projects() {
    let project = project(Defaults {
        queue: "root.team".to_owned(),
        ..Defaults::default()
    });
    let rules = AdmissionRules {
        project: Some(&project),
        ..AdmissionRules::default()
    };
    let queue = |submission: &Submission| admit(submission, &rules).unwrap().queue;
    assert_eq!(queue(&submission(|spec| spec.queue.clear())), "root.team");
    assert_eq!(queue(&submission(|_| {})), "root.demo");
}

#[test]
fn the_projects_terms_are_those_of_the_moment_of_acceptance() {
    let deadlines = Deadlines {
        queue_seconds: Some(60),
        total_seconds: Some(600),
        ..Deadlines::default()
    };
    let retry = RetryRequest {
        max_attempts: 2,
        ..RetryRequest::default()
    };
    let project = project(Defaults {
        deadlines,
        retry: Some(retry.clone()),
        ..Defaults::default()
    });
    let rules = AdmissionRules {
        project: Some(&project),
        ..AdmissionRules::default()
    };
    let mut submission = submission(|_| {});
    submission.spec.deadlines.queue_seconds = Some(5);
    let terms = admit(&submission, &rules).unwrap().terms.unwrap();
    assert_eq!(terms.deadlines.queue_seconds, Some(5));
    assert_eq!(terms.deadlines.total_seconds, Some(600));
    assert_eq!(terms.retry, Some(retry));
    // Nothing is kept that the request says by itself.
    let admitted = admit(&submission, &AdmissionRules::default()).unwrap();
    assert_eq!(admitted.terms, None);
}

#[test]
fn a_project_without_rules_allows_no_directories_of_nodes() {
    use moka_proto::submission::v1::{Volume, volume::Source};
    let submission = submission(|spec| {
        spec.volumes = vec![Volume {
            name: "cache".to_owned(),
            mount_path: "/cache".to_owned(),
            source: Some(Source::HostPath("/var/cache".to_owned())),
            ..Volume::default()
        }];
    });
    let error = admit(&submission, &AdmissionRules::default()).unwrap_err();
    assert_eq!(error.reason, ErrorReason::PolicyViolation);
    assert_eq!(error.violations[0].field, "spec.volumes[0].host_path");
}
