//! `FleetService`.

use std::collections::BTreeMap;

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    Cluster, ClusterLimits, ClusterState, DrainClusterRequest, GetClusterRequest,
    ListClustersRequest, RegisterClusterRequest, RemoveClusterRequest, ResumeClusterRequest,
    UpdateClusterRequest, fleet_service_client::FleetServiceClient,
};
use moka_rpc::{Channel, error_of};
use tonic::{Response, Status};

use crate::harness::{Harness, fields, start};

fn client(harness: &Harness) -> FleetServiceClient<Channel> {
    FleetServiceClient::new(harness.channel.clone())
}

fn told<T>(answer: Result<Response<T>, Status>) -> Result<T, PublicError> {
    answer
        .map(Response::into_inner)
        .map_err(|status| error_of(&status))
}

async fn register(harness: &Harness, cluster: Cluster) -> Result<Cluster, PublicError> {
    let request = RegisterClusterRequest {
        cluster: Some(cluster),
    };
    let answer = client(harness).register_cluster(request).await;
    Ok(told(answer)?.cluster.unwrap())
}

async fn update(
    harness: &Harness,
    cluster: Cluster,
    mask: &[&str],
) -> Result<Cluster, PublicError> {
    let request = UpdateClusterRequest {
        cluster: Some(cluster),
        update_mask: Some(prost_types::FieldMask {
            paths: mask.iter().map(|&path| path.to_owned()).collect(),
        }),
    };
    let answer = client(harness).update_cluster(request).await;
    Ok(told(answer)?.cluster.unwrap())
}

fn cluster(name: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        description: "in the east".to_owned(),
        ..Cluster::default()
    }
}

#[tokio::test]
async fn a_cluster_is_registered_once() {
    let harness = start().await;
    let first = register(&harness, cluster("east")).await.unwrap();
    assert_eq!(first.state(), ClusterState::Active);
    assert!(first.revision > 0 && first.create_time.is_some() && first.health.is_none());
    let again = register(&harness, cluster("east")).await.unwrap();
    assert_eq!(again, first);
    let other = Cluster {
        description: "in the far east".to_owned(),
        ..cluster("east")
    };
    let error = register(&harness, other).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::ResourceExists);
}

#[tokio::test]
async fn names_and_descriptions_have_limits() {
    let harness = start().await;
    let longest = "a".repeat(63);
    assert!(register(&harness, cluster(&longest)).await.is_ok());
    for name in ["", "A", "../etc", "-a", &"a".repeat(64)] {
        let error = register(&harness, cluster(name)).await.unwrap_err();
        assert_eq!(fields(&error), ["cluster.name"], "{name}");
    }
    let described = |bytes: usize| Cluster {
        description: "d".repeat(bytes),
        ..cluster("described")
    };
    assert!(register(&harness, described(256)).await.is_ok());
    let error = register(&harness, described(257)).await.unwrap_err();
    assert_eq!(fields(&error), ["cluster.description"]);
    let answer = client(&harness)
        .register_cluster(RegisterClusterRequest { cluster: None })
        .await;
    assert_eq!(
        fields(&told(answer).unwrap_err()),
        ["cluster", "cluster.name"]
    );
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_can_be_repeated() {
    let harness = start().await;
    let first = register(&harness, cluster("east")).await.unwrap();
    let limits = ClusterLimits {
        launches_per_second: 10_000,
        ..ClusterLimits::default()
    };
    let wanted = Cluster {
        name: "east".to_owned(),
        description: "not named by the mask".to_owned(),
        limits: Some(limits),
        revision: first.revision,
        ..Cluster::default()
    };
    let second = update(&harness, wanted.clone(), &["limits"]).await.unwrap();
    assert_eq!(second.description, "in the east");
    assert_eq!(second.limits, Some(limits));
    assert!(second.revision > first.revision);
    // As after an answer that was lost: the old revision does not matter.
    let again = update(&harness, wanted.clone(), &["limits"]).await.unwrap();
    assert_eq!(again, second);
    let other = Cluster {
        limits: None,
        ..wanted.clone()
    };
    let error = update(&harness, other.clone(), &["limits"])
        .await
        .unwrap_err();
    assert_eq!(error.reason, ErrorReason::RevisionConflict);
    let whatever_there_is = Cluster {
        revision: 0,
        ..other
    };
    assert!(
        update(&harness, whatever_there_is, &["limits"])
            .await
            .is_ok()
    );
    let one_past = Cluster {
        limits: Some(ClusterLimits {
            launches_per_second: 10_001,
            ..limits
        }),
        revision: 0,
        ..wanted
    };
    let error = update(&harness, one_past, &["limits"]).await.unwrap_err();
    assert_eq!(fields(&error), ["cluster.limits.launches_per_second"]);
}

#[tokio::test]
async fn an_update_needs_a_mask_of_fields_that_can_change() {
    let harness = start().await;
    register(&harness, cluster("east")).await.unwrap();
    for mask in [
        &[][..],
        &["state"],
        &["name"],
        &["limits", "limits.launch_burst"],
    ] {
        let error = update(&harness, cluster("east"), mask).await.unwrap_err();
        assert_eq!(fields(&error), ["update_mask"], "{mask:?}");
    }
    let negative = Cluster {
        revision: -1,
        ..cluster("east")
    };
    let error = update(&harness, negative, &["limits"]).await.unwrap_err();
    assert_eq!(fields(&error), ["cluster.revision"]);
    let error = update(&harness, cluster("nowhere"), &["limits"])
        .await
        .unwrap_err();
    assert_eq!(error.reason, ErrorReason::ClusterNotFound);
}

#[tokio::test]
async fn clusters_are_pages_by_name() {
    let harness = start().await;
    for name in ["b", "a", "c"] {
        register(&harness, cluster(name)).await.unwrap();
    }
    let mut names = Vec::new();
    let mut request = ListClustersRequest {
        page_size: 3,
        page_token: String::new(),
    };
    loop {
        let answer = client(&harness).list_clusters(request.clone()).await;
        let page = told(answer).unwrap();
        names.extend(page.clusters.into_iter().map(|cluster| cluster.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names, ["a", "b", "c", "west"]);
    request.page_token = "nonsense".to_owned();
    let answer = client(&harness).list_clusters(request).await;
    assert_eq!(
        told(answer).unwrap_err().reason,
        ErrorReason::InvalidPageToken
    );
}

#[tokio::test]
async fn an_empty_cluster_is_drained_at_once_and_can_be_resumed_or_removed() {
    let harness = start().await;
    register(&harness, cluster("east")).await.unwrap();
    let remove = || async {
        let name = "east".to_owned();
        told(
            client(&harness)
                .remove_cluster(RemoveClusterRequest { name })
                .await,
        )
    };
    let error = remove().await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::ClusterNotEmpty);
    let drain = |reason: String| async {
        let name = "east".to_owned();
        let request = DrainClusterRequest { name, reason };
        told(client(&harness).drain_cluster(request).await)
    };
    for reason in ["r".repeat(257), "a\u{7}b".to_owned()] {
        let error = drain(reason).await.unwrap_err();
        assert_eq!(fields(&error), ["reason"]);
    }
    let drained = drain("r".repeat(256)).await.unwrap().cluster.unwrap();
    assert_eq!(drained.state(), ClusterState::Drained);
    let name = "east".to_owned();
    let answer = client(&harness)
        .resume_cluster(ResumeClusterRequest { name })
        .await;
    let resumed = told(answer).unwrap().cluster.unwrap();
    assert_eq!(resumed.state(), ClusterState::Active);
    drain(String::new()).await.unwrap();
    remove().await.unwrap();
    remove().await.unwrap();
    let name = "east".to_owned();
    let answer = client(&harness)
        .get_cluster(GetClusterRequest { name })
        .await;
    assert_eq!(
        told(answer).unwrap_err().reason,
        ErrorReason::ClusterNotFound
    );
    let error = drain(String::new()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::ClusterNotFound);
}

#[tokio::test]
async fn shuffle_profiles_and_priority_classes_come_back_as_they_were_given() {
    let harness = start().await;
    let settings = BTreeMap::from([(
        "spark.shuffle.manager".to_owned(),
        "org.apache.spark.shuffle.celeborn.SparkShuffleManager".to_owned(),
    )]);
    let profile = moka_proto::submission::v1::ShuffleProfile {
        spark_conf: settings,
    };
    let wanted = Cluster {
        shuffle_profiles: [("celeborn".to_owned(), profile)].into(),
        priority_class_by_tier: [("1".to_owned(), "tier-one".to_owned())].into(),
        ..cluster("east")
    };
    let kept = register(&harness, wanted.clone()).await.unwrap();
    assert_eq!(kept.shuffle_profiles, wanted.shuffle_profiles);
    assert_eq!(kept.priority_class_by_tier, wanted.priority_class_by_tier);
}
