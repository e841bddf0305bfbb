//! `FleetService`.

use std::sync::Arc;

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    self as wire, DrainClusterRequest, DrainClusterResponse, GetClusterRequest, GetClusterResponse,
    ListClustersRequest, ListClustersResponse, RegisterClusterRequest, RegisterClusterResponse,
    RemoveClusterRequest, RemoveClusterResponse, ResumeClusterRequest, ResumeClusterResponse,
    UpdateClusterRequest, UpdateClusterResponse, fleet_service_server::FleetService,
};
use moka_rpc::{Fingerprint, Page, Violations, timestamp::to_proto};
use tonic::{Request, Response, Status};

use super::{
    Error, answer,
    change::{
        ACTOR, apply_mask, check_mask, check_revision, expect_revision, paths, until_written,
    },
    check_reason,
    convert::{rules as convert, spec::seconds},
};
use crate::{
    domain::{
        fleet::ClusterHealth,
        rules::{Cluster, ClusterSettings, ClusterState},
    },
    store::fleet::{self, FleetStore},
};

/// What an update may name.
const FIELDS: [&str; 9] = [
    "description",
    "namespace",
    "architectures",
    "defaults",
    "policy",
    "shuffle_profiles",
    "priority_class_by_tier",
    "limits",
    "live_ui",
];

/// The services about clusters, projects and strategies.
#[derive(Debug, Clone)]
pub struct FleetApi {
    /// Where they are kept.
    pub store: Arc<dyn FleetStore>,
}

#[tonic::async_trait]
impl FleetService for FleetApi {
    async fn register_cluster(
        &self,
        request: Request<RegisterClusterRequest>,
    ) -> Result<Response<RegisterClusterResponse>, Status> {
        answer(self.register(request.into_inner()).await)
    }

    async fn update_cluster(
        &self,
        request: Request<UpdateClusterRequest>,
    ) -> Result<Response<UpdateClusterResponse>, Status> {
        answer(self.update(request.into_inner()).await)
    }

    async fn get_cluster(
        &self,
        request: Request<GetClusterRequest>,
    ) -> Result<Response<GetClusterResponse>, Status> {
        answer(self.get(request.get_ref()).await)
    }

    async fn list_clusters(
        &self,
        request: Request<ListClustersRequest>,
    ) -> Result<Response<ListClustersResponse>, Status> {
        answer(self.list(request.into_inner()).await)
    }

    async fn drain_cluster(
        &self,
        request: Request<DrainClusterRequest>,
    ) -> Result<Response<DrainClusterResponse>, Status> {
        answer(self.drain(request.get_ref()).await)
    }

    async fn resume_cluster(
        &self,
        request: Request<ResumeClusterRequest>,
    ) -> Result<Response<ResumeClusterResponse>, Status> {
        answer(self.resume(request.get_ref()).await)
    }

    async fn remove_cluster(
        &self,
        request: Request<RemoveClusterRequest>,
    ) -> Result<Response<RemoveClusterResponse>, Status> {
        answer(self.remove(request.get_ref()).await)
    }
}

impl FleetApi {
    async fn register(
        &self,
        request: RegisterClusterRequest,
    ) -> Result<RegisterClusterResponse, Error> {
        let mut violations = Violations::new();
        let asked = violations.required("cluster", request.cluster.as_ref());
        let asked = asked.cloned().unwrap_or_default();
        violations.dns_label("cluster.name", &asked.name);
        let settings = ClusterSettings::parse(&mut violations, "cluster", &asked);
        violations.into_result()?;
        let cluster = self
            .store
            .register_cluster(&asked.name, &settings, ACTOR)
            .await?;
        if cluster.settings != settings {
            let message = format!("there is another cluster {}", asked.name);
            return Err(PublicError::new(ErrorReason::ResourceExists, message).into());
        }
        Ok(RegisterClusterResponse {
            cluster: Some(self.with_health(cluster).await?),
        })
    }

    async fn update(&self, request: UpdateClusterRequest) -> Result<UpdateClusterResponse, Error> {
        let mut violations = Violations::new();
        let asked = violations.required("cluster", request.cluster.as_ref());
        let asked = asked.cloned().unwrap_or_default();
        violations.dns_label("cluster.name", &asked.name);
        check_revision(&mut violations, "cluster.revision", asked.revision);
        let mask = paths(request.update_mask.as_ref());
        if mask.is_empty() {
            violations.add("update_mask", "must name at least one field");
        }
        check_mask(&mut violations, &mask, &FIELDS);
        violations.into_result()?;
        let cluster = until_written(asked.revision, || self.merge(&asked, &mask)).await?;
        Ok(UpdateClusterResponse {
            cluster: Some(self.with_health(cluster).await?),
        })
    }

    async fn merge(&self, asked: &wire::Cluster, mask: &[String]) -> Result<Cluster, Error> {
        let current = self.existing(&asked.name).await?;
        let mut merged = convert::cluster(current.clone());
        apply_mask!(mask, asked => merged, [
            description, namespace, architectures, defaults, policy, shuffle_profiles,
            priority_class_by_tier, limits, live_ui,
        ]);
        let mut violations = Violations::new();
        let settings = ClusterSettings::parse(&mut violations, "cluster", &merged);
        violations.into_result()?;
        // Done already, by this call itself before its answer was lost or by somebody else.
        if settings == current.settings {
            return Ok(current);
        }
        expect_revision(asked.revision, current.revision)?;
        let store = &self.store;
        let revision = current.revision;
        Ok(store
            .write_cluster(&asked.name, &settings, revision, ACTOR)
            .await?)
    }

    async fn get(&self, request: &GetClusterRequest) -> Result<GetClusterResponse, Error> {
        check_name(&request.name)?;
        let cluster = self.existing(&request.name).await?;
        Ok(GetClusterResponse {
            cluster: Some(self.with_health(cluster).await?),
        })
    }

    async fn list(&self, mut request: ListClustersRequest) -> Result<ListClustersResponse, Error> {
        let page_size = std::mem::take(&mut request.page_size);
        let page_token = std::mem::take(&mut request.page_token);
        let page = Page::parse(page_size, &page_token, Fingerprint::of(&request))?;
        // One more tells whether there is another page.
        let found = self.store.clusters(page.after.as_deref(), page.size + 1);
        let (found, next_page_token) =
            page.cut(found.await?, |cluster: &Cluster| cluster.name.clone());
        let mut healths = self.store.healths().await?;
        let clusters = found.into_iter().map(|cluster| {
            let health = healths.remove(&cluster.name).map(health);
            wire::Cluster {
                health,
                ..convert::cluster(cluster)
            }
        });
        Ok(ListClustersResponse {
            clusters: clusters.collect(),
            next_page_token,
        })
    }

    async fn drain(&self, request: &DrainClusterRequest) -> Result<DrainClusterResponse, Error> {
        let mut violations = Violations::new();
        violations.dns_label("name", &request.name);
        check_reason(&mut violations, &request.reason);
        violations.into_result()?;
        let state = ClusterState::Draining;
        let cluster = self
            .store
            .set_cluster_state(&request.name, state, &request.reason, ACTOR)
            .await?;
        Ok(DrainClusterResponse {
            cluster: Some(self.with_health(cluster).await?),
        })
    }

    async fn resume(&self, request: &ResumeClusterRequest) -> Result<ResumeClusterResponse, Error> {
        check_name(&request.name)?;
        let state = ClusterState::Active;
        let cluster = self
            .store
            .set_cluster_state(&request.name, state, "", ACTOR)
            .await?;
        Ok(ResumeClusterResponse {
            cluster: Some(self.with_health(cluster).await?),
        })
    }

    async fn remove(&self, request: &RemoveClusterRequest) -> Result<RemoveClusterResponse, Error> {
        check_name(&request.name)?;
        match self.store.remove_cluster(&request.name, ACTOR).await {
            // The answer to the same call may have been lost.
            Ok(()) | Err(fleet::Error::ClusterNotFound(_)) => Ok(RemoveClusterResponse {}),
            Err(error) => Err(error.into()),
        }
    }

    async fn existing(&self, name: &str) -> Result<Cluster, Error> {
        let found = self.store.cluster(name).await?;
        Ok(found.ok_or_else(|| fleet::Error::ClusterNotFound(name.to_owned()))?)
    }

    async fn with_health(&self, cluster: Cluster) -> Result<wire::Cluster, Error> {
        let health = self.store.healths().await?.remove(&cluster.name);
        Ok(wire::Cluster {
            health: health.map(self::health),
            ..convert::cluster(cluster)
        })
    }
}

fn check_name(name: &str) -> Result<(), PublicError> {
    let mut violations = Violations::new();
    violations.dns_label("name", name);
    violations.into_result()
}

fn health(health: ClusterHealth) -> wire::ClusterHealth {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    wire::ClusterHealth {
        reachable: health.reachable,
        problem: health.problem,
        circuit_open: health.circuit_open,
        live_attempts: count(health.live_attempts),
        operator_backlog: count(health.operator_backlog),
        operator_lag: Some(seconds(health.operator_lag_seconds)),
        observe_time: Some(to_proto(health.observe_time)),
        holder: health.holder,
    }
}
