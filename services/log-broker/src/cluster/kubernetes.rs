//! The Kubernetes log API.

use std::{collections::BTreeMap, io, path::PathBuf, str::FromStr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::AsyncReadExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::LogParams};

use super::{LiveContainer, LiveLines, LiveLogs, growing};
use crate::{
    domain::{
        cri::parse_api_line,
        lines::{LineJoiner, PlacedLine},
    },
    error::Error,
};

/// Most bytes that are asked for at once.
const LIMIT_BYTES: u32 = 4 << 20;
/// Enough for the time of a first line.
const FIRST_LINE_BYTES: u32 = 1 << 10;
const DEADLINE: Duration = Duration::from_secs(10);
/// The container has not started, or the pod has no such container.
const BAD_REQUEST: u16 = 400;
const NOT_FOUND: u16 = 404;

/// A cluster and how to reach it: `name=in-cluster` or `name=<kubeconfig path>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAccess {
    /// Its name.
    pub name: String,
    /// The kubeconfig; `None` for the pod's own service account.
    pub kubeconfig: Option<PathBuf>,
}

/// The text names no cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a cluster is `name=in-cluster` or `name=<kubeconfig path>`")]
pub struct ParseClusterError;

impl FromStr for ClusterAccess {
    type Err = ParseClusterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some(("", _) | (_, "")) | None => Err(ParseClusterError),
            Some((name, "in-cluster")) => Ok(Self {
                name: name.to_owned(),
                kubeconfig: None,
            }),
            Some((name, path)) => Ok(Self {
                name: name.to_owned(),
                kubeconfig: Some(path.into()),
            }),
        }
    }
}

/// The log APIs of some clusters.
#[derive(Clone)]
pub struct KubernetesLogs {
    clients: BTreeMap<String, Client>,
}

impl std::fmt::Debug for KubernetesLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesLogs")
            .field("clusters", &self.clients.keys())
            .finish()
    }
}

impl KubernetesLogs {
    /// Configures the clients; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When a kubeconfig cannot be read.
    pub async fn new(clusters: &[ClusterAccess]) -> Result<Self, moka_kube::Error> {
        let mut clients = BTreeMap::new();
        for ClusterAccess { name, kubeconfig } in clusters {
            let client = moka_kube::client::connect(kubeconfig.as_deref(), None).await?;
            clients.insert(name.clone(), client);
        }
        Ok(Self { clients })
    }
}

#[async_trait]
impl LiveLogs for KubernetesLogs {
    async fn read(
        &self,
        container: &LiveContainer,
        since: Option<Timestamp>,
    ) -> Result<Option<Vec<PlacedLine>>, Error> {
        let bytes = self.fetch(container, since, LIMIT_BYTES).await?;
        Ok(bytes.map(|bytes| placed_lines(&bytes)))
    }

    async fn follow(
        &self,
        container: &LiveContainer,
        since: Timestamp,
    ) -> Result<Option<LiveLines>, Error> {
        let parameters = LogParams {
            follow: true,
            since_time: Some(since),
            ..parameters(container)
        };
        let opening = async |pods: Api<Pod>| {
            pods.log_stream(&container.pod, &parameters)
                .await
                .map(Box::pin)
        };
        let body = self.ask(container, opening).await?;
        let container = container.clone();
        let broken = move |error: io::Error| {
            let source = moka_kube::Error::Unavailable(format!("the log breaks off: {error}"));
            failed(&container, source)
        };
        Ok(body.map(|body| growing::lines(body, broken)))
    }

    async fn first_time(&self, container: &LiveContainer) -> Result<Option<Timestamp>, Error> {
        let bytes = self.fetch(container, None, FIRST_LINE_BYTES).await?;
        Ok(bytes.and_then(|bytes| parse_api_line(&bytes).map(|(time, _)| time)))
    }

    fn knows(&self, cluster: &str) -> bool {
        self.clients.contains_key(cluster)
    }
}

impl KubernetesLogs {
    async fn fetch(
        &self,
        container: &LiveContainer,
        since: Option<Timestamp>,
        limit_bytes: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        let parameters = LogParams {
            limit_bytes: Some(limit_bytes.into()),
            since_time: since,
            ..parameters(container)
        };
        let fetching = async |pods: Api<Pod>| {
            let body = pods.log_stream(&container.pod, &parameters).await?;
            let mut bytes = Vec::new();
            body.take(limit_bytes.into())
                .read_to_end(&mut bytes)
                .await
                .map_err(kube::Error::ReadEvents)?;
            Ok(bytes)
        };
        self.ask(container, fetching).await
    }

    /// Asks the container's cluster; `None` when it does not know the container.
    async fn ask<T>(
        &self,
        container: &LiveContainer,
        question: impl AsyncFnOnce(Api<Pod>) -> Result<T, kube::Error>,
    ) -> Result<Option<T>, Error> {
        let Some(client) = self.clients.get(&container.cluster) else {
            return Ok(None);
        };
        let pods = Api::namespaced(client.clone(), &container.namespace);
        match tokio::time::timeout(DEADLINE, question(pods)).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(kube::Error::Api(status)))
                if [BAD_REQUEST, NOT_FOUND].contains(&status.code) =>
            {
                Ok(None)
            }
            Ok(Err(error)) => Err(failed(container, error.into())),
            Err(_elapsed) => {
                let late = "no log within the deadline".to_owned();
                Err(failed(container, moka_kube::Error::Unavailable(late)))
            }
        }
    }
}

fn failed(container: &LiveContainer, source: moka_kube::Error) -> Error {
    Error::Cluster {
        cluster: container.cluster.clone(),
        source,
    }
}

fn parameters(container: &LiveContainer) -> LogParams {
    LogParams {
        container: Some(container.container.clone()),
        timestamps: true,
        ..LogParams::default()
    }
}

/// A last line without its end is left: it may go on.
fn placed_lines(bytes: &[u8]) -> Vec<PlacedLine> {
    let mut joiner = LineJoiner::default();
    let whole = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"));
    let lines = whole.filter_map(parse_api_line);
    lines
        .flat_map(|(time, text)| joiner.push_joined(time, Bytes::copy_from_slice(text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_named() {
        assert_eq!(
            "local=in-cluster".parse(),
            Ok(ClusterAccess {
                name: "local".to_owned(),
                kubeconfig: None
            })
        );
        assert_eq!(
            "a=/etc/kube=1".parse(),
            Ok(ClusterAccess {
                name: "a".to_owned(),
                kubeconfig: Some("/etc/kube=1".into())
            })
        );
        for text in ["", "a", "a=", "=b"] {
            assert_eq!(
                text.parse::<ClusterAccess>(),
                Err(ParseClusterError),
                "{text}"
            );
        }
    }

    #[test]
    fn torn_last_line_waits() {
        let lines = placed_lines(
            b"2026-11-21T03:00:00.1Z one\n2026-11-21T03:00:00.2Z \xff two\n2026-11-21T03:0",
        );
        let texts: Vec<_> = lines.iter().map(|line| &*line.line.text).collect();
        assert_eq!(texts, [&b"one"[..], b"\xff two"]);
    }
}
