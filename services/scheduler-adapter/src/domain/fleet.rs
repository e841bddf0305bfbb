//! What is known of every cluster's queues.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::queue_tree::QueueTree;

/// All clusters by name. Cloning is cheap: the trees are shared.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    clusters: BTreeMap<String, Observation>,
}

/// What is known of one cluster.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The newest tree; `None` until YuniKorn has answered once.
    pub snapshot: Option<Snapshot>,
    /// Whether the last question was not answered.
    pub failing: bool,
}

/// A tree and when it was read.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The tree.
    pub tree: Arc<QueueTree>,
    /// Counts the different trees that were seen, from 1.
    pub version: u64,
    /// When YuniKorn was asked.
    pub observe_time: Timestamp,
}

impl Fleet {
    /// Clusters of which nothing is known yet.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            clusters: names
                .into_iter()
                .map(|name| (name, Observation::default()))
                .collect(),
        }
    }

    /// All clusters in the order of their names.
    pub fn clusters(&self) -> impl Iterator<Item = (&str, &Observation)> {
        self.clusters
            .iter()
            .map(|(name, observation)| (name.as_str(), observation))
    }

    /// What is known of a cluster; `None` when it is not one of ours.
    pub fn get(&self, cluster: &str) -> Option<&Observation> {
        self.clusters.get(cluster)
    }

    /// Notes an answer. A tree that says the same as the last one keeps its version.
    pub fn observed(&mut self, cluster: &str, tree: QueueTree, observe_time: Timestamp) {
        let observation = self.clusters.entry(cluster.to_owned()).or_default();
        let snapshot = match observation.snapshot.take() {
            Some(last) if *last.tree == tree => Snapshot {
                observe_time,
                ..last
            },
            last => Snapshot {
                tree: Arc::new(tree),
                version: last.map_or(1, |last| last.version + 1),
                observe_time,
            },
        };
        *observation = Observation {
            snapshot: Some(snapshot),
            failing: false,
        };
    }

    /// Notes that a question was not answered; the last tree stays, marked as stale.
    pub fn failed(&mut self, cluster: &str) {
        self.clusters.entry(cluster.to_owned()).or_default().failing = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_changes_with_the_tree_only() {
        let tree = |json: &str| QueueTree::parse(json.as_bytes()).unwrap();
        let mut fleet = Fleet::new(["local".to_owned()]);
        let second = |second| Timestamp::from_second(second).unwrap();
        fleet.observed("local", tree(r#"{"queuename":"root"}"#), second(1));
        fleet.observed("local", tree(r#"{"queuename":"root"}"#), second(2));
        let snapshot = fleet.get("local").unwrap().snapshot.clone().unwrap();
        assert_eq!((snapshot.version, snapshot.observe_time), (1, second(2)));
        fleet.observed(
            "local",
            tree(r#"{"queuename":"root","runningApps":1}"#),
            second(3),
        );
        assert_eq!(
            fleet
                .get("local")
                .unwrap()
                .snapshot
                .as_ref()
                .unwrap()
                .version,
            2
        );
    }

    #[test]
    fn failure_keeps_the_tree_and_the_next_answer_clears_it() {
        let mut fleet = Fleet::new(["local".to_owned()]);
        fleet.failed("local");
        assert!(fleet.get("local").unwrap().snapshot.is_none());
        fleet.observed("local", QueueTree::default(), Timestamp::UNIX_EPOCH);
        fleet.failed("local");
        let observation = fleet.get("local").unwrap();
        assert!(observation.failing && observation.snapshot.is_some());
        fleet.observed("local", QueueTree::default(), Timestamp::UNIX_EPOCH);
        assert!(!fleet.get("local").unwrap().failing);
        assert!(fleet.get("other").is_none());
    }
}
