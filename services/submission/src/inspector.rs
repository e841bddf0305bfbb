//! Looking into clusters for somebody who asks why: the one thing that the API layer wants of
//! Kubernetes, and only while it answers.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    domain::explain::Sight,
    launcher::{Error, Result, Target},
};

/// Who can look into clusters.
#[async_trait]
pub trait Inspector: Debug + Send + Sync {
    /// Reads what a cluster shows of an attempt now.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer, or this process cannot reach it.
    async fn inspect(&self, cluster: &str, target: &Target) -> Result<Sight>;
}

/// A process without access to any cluster.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blind;

#[async_trait]
impl Inspector for Blind {
    async fn inspect(&self, cluster: &str, _target: &Target) -> Result<Sight> {
        Err(no_access(cluster))
    }
}

/// The answer about a cluster that this process has no credentials for.
pub fn no_access(cluster: &str) -> Error {
    Error::Refused(format!("this replica has no access to cluster {cluster}"))
}
