//! The exporter within the test, started as the binary does it.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use clap::Parser;
use moka_metrics_exporter::{Config, SERVICE, start};
use moka_process::ProcessContext;
use moka_proto::metrics::v1::{
    GetSinkRequest, ListTargetsRequest, ListTargetsResponse, Sink,
    metrics_service_client::MetricsServiceClient,
};
use moka_rpc::{Channel, ClientOptions, client};
use tokio::time::{sleep, timeout};

use crate::opentsdb::PATIENCE;

pub(crate) struct Service {
    pub(crate) context: ProcessContext,
    pub(crate) client: MetricsServiceClient<Channel>,
}

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    config: Config,
}

/// A port that nobody else has now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

impl Service {
    pub(crate) async fn start(target: &str, sink: SocketAddr, more: &[&str]) -> Self {
        // Every test of the process may be first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listen = free_address();
        let arguments = [
            "moka-metrics-exporter".to_owned(),
            format!("--listen={listen}"),
            format!("--targets={target}"),
            format!("--tsdb-address={sink}"),
        ];
        // A test sees several scrapes unless it says otherwise.
        let more = if more.is_empty() {
            &["--scrape-interval-seconds=1"]
        } else {
            more
        };
        let more = more.iter().map(|argument| (*argument).to_owned());
        let command_line = CommandLine::try_parse_from(arguments.into_iter().chain(more)).unwrap();
        let context = ProcessContext::new(SERVICE);
        start(context.clone(), command_line.config).await.unwrap();
        let channel = client::connect(&format!("http://{listen}"), &ClientOptions::default());
        Self {
            context,
            client: MetricsServiceClient::new(channel.unwrap()),
        }
    }

    pub(crate) async fn sink(&mut self) -> Sink {
        self.client
            .get_sink(GetSinkRequest {})
            .await
            .unwrap()
            .into_inner()
            .sink
            .unwrap()
    }

    /// Asks for the sink until it is as the test wants it.
    pub(crate) async fn until_sink(&mut self, holds: impl Fn(&Sink) -> bool) -> Sink {
        let asking = async {
            loop {
                let sink = self.sink().await;
                if holds(&sink) {
                    return sink;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, asking)
            .await
            .expect("the sink becomes what the test waits for")
    }

    pub(crate) async fn targets(&mut self) -> ListTargetsResponse {
        self.client
            .list_targets(ListTargetsRequest::default())
            .await
            .unwrap()
            .into_inner()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.context.tasks.abort();
    }
}
