//! Whose log a file is.

use moka_core::AttemptName;
use serde::{Deserialize, Serialize};

use super::ClusterName;

/// What a stream holds, and so where its objects go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A container of a driver or an executor.
    Container {
        /// The attempt, read out of the pod's name.
        attempt: AttemptName,
        /// The pod's name.
        pod: String,
        /// The container's name.
        container: String,
    },
    /// An event log.
    Event {
        /// The attempt, which names the directory.
        attempt: AttemptName,
        /// The file's name, without `.inprogress`.
        file: String,
    },
    /// A container of any other pod.
    System {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
        /// The container's name.
        container: String,
    },
}

/// The kinds of [`Source`], as metrics and the streams page name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// [`Source::Container`]
    Container,
    /// [`Source::Event`]
    Event,
    /// [`Source::System`]
    System,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Container, Self::Event, Self::System];
}

impl Source {
    /// Of which kind it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Container { .. } => SourceKind::Container,
            Self::Event { .. } => SourceKind::Event,
            Self::System { .. } => SourceKind::System,
        }
    }

    /// What all keys of the stream begin with, without `/` at the end.
    pub fn key_prefix(&self, cluster: &ClusterName) -> String {
        match self {
            Self::Container {
                attempt,
                pod,
                container,
            } => format!("{}/containers/{pod}/{container}", attempt_prefix(*attempt)),
            Self::Event { attempt, file } => {
                format!("{}/events/{file}", attempt_prefix(*attempt))
            }
            Self::System {
                namespace,
                pod,
                container,
            } => format!("system/{cluster}/{namespace}/{pod}/{container}"),
        }
    }
}

/// The last two characters of the application's id come first: they spread the load over the
/// store's partitions, where the first ones, a time, would gather it.
fn attempt_prefix(attempt: AttemptName) -> String {
    let id = attempt.application_id.to_string();
    let last_two = &id[id.len() - 2..];
    format!("logs/{last_two}/{id}/{}", attempt.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    #[test]
    fn prefixes_follow_the_grammar() {
        let cluster: ClusterName = "local".parse().unwrap();
        let attempt: AttemptName = format!("{ID}-2").parse().unwrap();
        let container = Source::Container {
            attempt,
            pod: format!("{ID}-2-exec-3"),
            container: "spark-kubernetes-executor".to_owned(),
        };
        assert_eq!(
            container.key_prefix(&cluster),
            format!("logs/qz/{ID}/2/containers/{ID}-2-exec-3/spark-kubernetes-executor")
        );
        let event = Source::Event {
            attempt,
            file: "spark-0f3a".to_owned(),
        };
        assert_eq!(
            event.key_prefix(&cluster),
            format!("logs/qz/{ID}/2/events/spark-0f3a")
        );
        let system = Source::System {
            namespace: "kube-system".to_owned(),
            pod: "coredns-1".to_owned(),
            container: "coredns".to_owned(),
        };
        assert_eq!(
            system.key_prefix(&cluster),
            "system/local/kube-system/coredns-1/coredns"
        );
    }
}
