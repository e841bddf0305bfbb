//! The whole service within the test, behind an in-memory channel.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use moka_process::{ProcessContext, Tasks};
use moka_proto::scheduling::v1::{
    scheduling_service_client::SchedulingServiceClient,
    scheduling_service_server::SchedulingServiceServer,
};
use moka_rpc::{Channel, ClientOptions, Server, ServerOptions, memory};
use moka_scheduler_adapter::{
    SERVICE,
    api::Api,
    domain::{
        fleet::Fleet,
        pod_metadata::{GangPolicy, GangStyle},
    },
    metrics::Metrics,
    poller::Poller,
    yunikorn::YuniKorn,
};
use tokio::{sync::watch, time::timeout};

use crate::yunikorn_stub::YuniKornStub;

/// How long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Service {
    pub(crate) client: SchedulingServiceClient<Channel>,
    pub(crate) context: ProcessContext,
    fleet: watch::Receiver<Fleet>,
    stop_on_drop: Tasks,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop_on_drop.abort();
    }
}

impl Service {
    /// With a stand-in for the YuniKorn of each cluster.
    pub(crate) fn start(clusters: &[(&str, &YuniKornStub)]) -> Self {
        // Every test of the process may be first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let context = ProcessContext::new(SERVICE);
        let metrics = context.metrics(Metrics::register);
        let names = clusters.iter().map(|(name, _)| (*name).to_owned());
        let (sender, fleet) = watch::channel(Fleet::new(names));
        let mut yunikorns = BTreeMap::new();
        for (cluster, stub) in clusters {
            let url = format!("http://{}", stub.address).parse().unwrap();
            let yunikorn = YuniKorn::new(url, Duration::from_secs(5)).unwrap();
            yunikorns.insert((*cluster).to_owned(), yunikorn.clone());
            let poller = Poller {
                cluster: (*cluster).to_owned(),
                yunikorn,
                fleet: sender.clone(),
                interval: Duration::from_millis(10),
                clock: Arc::clone(&context.clock),
                metrics: metrics.clone(),
                any_cluster_answered: context.readiness.condition("queue tree of a cluster"),
            };
            context
                .tasks
                .spawn("poller", poller.run(context.stop.clone()));
        }
        let gang_policy = GangPolicy {
            style: GangStyle::Soft,
            placeholder_timeout_seconds: 900,
        };
        let api = Api {
            fleet: fleet.clone(),
            yunikorns,
            gang_policy,
            metrics,
        };
        let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
        let server = context
            .metrics(|registry| Server::new(ServerOptions::default(), registry))
            .add_service(SchedulingServiceServer::new(api));
        context.tasks.spawn(
            "grpc",
            server.serve_incoming(incoming, context.stop.clone()),
        );
        let stop_on_drop = context.tasks.clone();
        let client = SchedulingServiceClient::new(channel);
        Self {
            client,
            context,
            fleet,
            stop_on_drop,
        }
    }

    /// Waits until the pollers have noted what the test is about.
    pub(crate) async fn until(&mut self, holds: impl FnMut(&Fleet) -> bool) {
        let noted = timeout(PATIENCE, self.fleet.wait_for(holds)).await;
        noted
            .expect("the pollers note what the test waits for")
            .unwrap();
    }

    pub(crate) async fn until_read(&mut self, cluster: &str) {
        self.until(|fleet| {
            fleet
                .get(cluster)
                .is_some_and(|seen| seen.snapshot.is_some())
        })
        .await;
    }
}
