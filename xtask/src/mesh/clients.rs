//! How the services are reached from this machine.

use anyhow::{Context as _, Result};
use moka_proto::{
    history::v1::history_service_client::HistoryServiceClient,
    logs::v1::log_service_client::LogServiceClient,
    metrics::v1::metrics_service_client::MetricsServiceClient,
    scheduling::v1::scheduling_service_client::SchedulingServiceClient,
    submission::v1::submission_service_client::SubmissionServiceClient,
};
use tonic::transport::{Channel, Endpoint};

use super::NAMESPACE;
use crate::cluster::Kubectl;

/// Base URLs of the services. Their cluster addresses are reachable from the node, which is this
/// machine.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// gRPC of submission.
    pub submission: String,
    /// gRPC of scheduler-adapter.
    pub scheduler_adapter: String,
    /// gRPC of log-broker.
    pub log_broker: String,
    /// gRPC of history-index.
    pub history_index: String,
    /// REST of history-index.
    pub history_rest: String,
    /// Admin port of log-shipper.
    pub log_shipper_admin: String,
    /// S3 of the object store.
    pub objects: String,
}

impl Endpoints {
    pub(super) async fn find(kubectl: &Kubectl) -> Result<Self> {
        let url = |name| kubectl.service_url(NAMESPACE, name);
        let history_index = url("history-index").await?;
        let (history_host, _) = history_index
            .rsplit_once(':')
            .context("a URL with a port")?;
        let shipper = kubectl
            .run([
                "--namespace",
                NAMESPACE,
                "get",
                "pods",
                "--selector=app.kubernetes.io/name=log-shipper",
                "--output=jsonpath={.items[0].status.podIP}",
            ])
            .await?;
        Ok(Self {
            submission: url("submission").await?,
            scheduler_adapter: url("scheduler-adapter").await?,
            log_broker: url("log-broker").await?,
            history_rest: format!("{history_host}:7480"),
            history_index,
            log_shipper_admin: format!("http://{shipper}:7506"),
            objects: url("s3").await?,
        })
    }
}

impl Endpoints {
    /// The services and where each answers.
    pub(super) fn services(&self) -> [(&'static str, &str); 5] {
        [
            ("submission", &self.submission),
            ("scheduler-adapter", &self.scheduler_adapter),
            ("log-broker", &self.log_broker),
            ("history-index", &self.history_index),
            ("history-index's REST", &self.history_rest),
        ]
    }
}

/// A generated client of each service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Of submission.
    pub submission: SubmissionServiceClient<Channel>,
    /// Of scheduler-adapter.
    pub scheduling: SchedulingServiceClient<Channel>,
    /// Of log-broker.
    pub logs: LogServiceClient<Channel>,
    /// Of history-index.
    pub history: HistoryServiceClient<Channel>,
}

impl Clients {
    /// Clients that connect when they are first used.
    ///
    /// # Errors
    /// When a URL is none.
    pub fn new(endpoints: &Endpoints) -> Result<Self> {
        Ok(Self {
            submission: SubmissionServiceClient::new(channel(&endpoints.submission)?),
            scheduling: SchedulingServiceClient::new(channel(&endpoints.scheduler_adapter)?),
            logs: LogServiceClient::new(channel(&endpoints.log_broker)?),
            history: HistoryServiceClient::new(channel(&endpoints.history_index)?),
        })
    }
}

/// A client of the exporter in one driver's pod.
///
/// # Errors
/// When the URL is none.
pub fn exporter(url: &str) -> Result<MetricsServiceClient<Channel>> {
    Ok(MetricsServiceClient::new(channel(url)?))
}

fn channel(url: &str) -> Result<Channel> {
    Ok(Endpoint::from_shared(url.to_owned())?.connect_lazy())
}
