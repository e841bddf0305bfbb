//! Logs that only the cluster has yet.

mod growing;
mod kubernetes;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
pub use kubernetes::{ClusterAccess, KubernetesLogs, ParseClusterError};

use crate::{domain::lines::PlacedLine, error::Error};

/// Which container's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveContainer {
    /// The cluster's name.
    pub cluster: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
}

/// Lines of a log as they are written.
pub type LiveLines = BoxStream<'static, Result<Vec<PlacedLine>, Error>>;

/// Reads the logs of running containers.
#[async_trait]
pub trait LiveLogs: Send + Sync + std::fmt::Debug {
    /// Lines of the container's present log file from a time on, whole seconds only, at most some
    /// MiB; `None` when there is no such cluster, pod or container, or it has not started.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer.
    async fn read(
        &self,
        container: &LiveContainer,
        since: Option<Timestamp>,
    ) -> Result<Option<Vec<PlacedLine>>, Error>;

    /// Lines of the container's log from a time on, whole seconds only, also those that are yet to
    /// be written; `None` as in [`LiveLogs::read`]. Ends when the container does. Around a rotation
    /// lines may be missing.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer, or later the connection breaks.
    async fn follow(
        &self,
        container: &LiveContainer,
        since: Timestamp,
    ) -> Result<Option<LiveLines>, Error>;

    /// Time of the first line of the container's present log file; `None` as in [`LiveLogs::read`],
    /// and when it has no line.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer.
    async fn first_time(&self, container: &LiveContainer) -> Result<Option<Timestamp>, Error>;

    /// Whether the cluster can be asked.
    fn knows(&self, cluster: &str) -> bool;
}
