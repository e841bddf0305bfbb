//! From a cluster's name to its API server: the credentials that this process was given.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use super::SparkOperator;
use crate::{config::Access, domain::manifest::ManifestSettings, launcher::Launcher};

/// Finds credentials and makes clients.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Credentials that the command line names.
    pub named: BTreeMap<String, Access>,
    /// A directory with a kubeconfig for each further cluster, under the cluster's name.
    pub kubeconfigs: Option<PathBuf>,
    /// Namespace of clusters that name none.
    pub namespace: String,
    /// What every object has in common.
    pub settings: ManifestSettings,
    /// How often watches list everything anew.
    pub relist_interval: Duration,
}

/// Credentials as they are now: another value means that a client must be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// This process's own service account.
    InCluster,
    /// A kubeconfig and where it is.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is in it.
        content: Vec<u8>,
    },
}

impl Credentials {
    /// A client that has them. Nothing is sent yet.
    pub(super) async fn client(&self) -> Result<kube::Client, moka_kube::Error> {
        let path = match self {
            Self::InCluster => None,
            Self::Kubeconfig { path, .. } => Some(path.as_path()),
        };
        moka_kube::client::connect(path, None).await
    }
}

impl Connector {
    /// Reads the credentials of a cluster. The name is one that passed its check, so it cannot lead
    /// out of the directory.
    ///
    /// # Errors
    ///
    /// When there are none, or the file cannot be read.
    pub async fn credentials(&self, cluster: &str) -> std::io::Result<Credentials> {
        let path = match (self.named.get(cluster), &self.kubeconfigs) {
            (Some(Access::InCluster), _) => return Ok(Credentials::InCluster),
            (Some(Access::Kubeconfig(path)), _) => path.clone(),
            (None, Some(folder)) => folder.join(cluster),
            (None, None) => return Err(std::io::ErrorKind::NotFound.into()),
        };
        let content = tokio::fs::read(&path).await?;
        Ok(Credentials::Kubeconfig { path, content })
    }

    /// Makes a client. Nothing is sent yet. `namespace` is empty for the one of every cluster.
    ///
    /// # Errors
    ///
    /// When the credentials cannot be used.
    pub async fn connect(
        &self,
        credentials: &Credentials,
        namespace: &str,
    ) -> Result<Arc<dyn Launcher>, moka_kube::Error> {
        let client = credentials.client().await?;
        let namespace = match namespace {
            "" => self.namespace.clone(),
            namespace => namespace.to_owned(),
        };
        Ok(Arc::new(SparkOperator::new(
            client,
            namespace,
            self.settings.clone(),
            self.relist_interval,
        )))
    }
}
