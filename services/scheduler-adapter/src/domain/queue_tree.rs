//! YuniKorn's queue tree, with what every queue inherits from its ancestors already worked out.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::resources::{Amount, Limit, ResourceMap};

/// One cluster's queues by full path, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueTree {
    queues: BTreeMap<String, Queue>,
    capacity: Limit,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Full path, such as `root.demo`.
    pub path: String,
    /// Whether applications can run in it.
    pub leaf: bool,
    /// Whether it takes new applications: neither draining nor stopped.
    pub open: bool,
    /// YuniKorn's word for the order of its applications; only `fifo` takes gangs.
    pub sorting_policy: String,
    /// What it is sure to get.
    pub guaranteed: Limit,
    /// What it may have at most, its ancestors' limits included. The root's maximum is not: that
    /// is the size of the cluster now, which an autoscaler changes, and YuniKorn refuses no
    /// gang for it.
    pub maximum: Limit,
    /// What it can still get now, within its own and its ancestors' limits and the cluster's size.
    pub headroom: Limit,
    /// What its pods hold.
    pub allocated: Amount,
    /// How many applications it may run at once, itself; 0 means no limit.
    pub maximum_running_applications: u64,
    /// How many it runs.
    pub running_applications: u64,
    /// How many more may start before a limit of it or of an ancestor is reached.
    pub free_application_slots: Option<u64>,
}

/// The answer of YuniKorn cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not the JSON of a queue.
    #[error("reading the queue tree")]
    Json(#[from] serde_json::Error),
    /// A queue has no name, or not one below its parent.
    #[error("queue {name:?} is no child of {parent:?}")]
    Name {
        /// The queue's own name.
        name: String,
        /// The path of the queue that lists it.
        parent: String,
    },
}

impl QueueTree {
    /// Reads the answer of `/ws/v1/partition/<name>/queues`. Fields that are left out are zero or
    /// empty, unknown ones are ignored.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is no tree of queues.
    pub fn parse(json: &[u8]) -> Result<Self, ParseError> {
        let root: WireQueue = serde_json::from_slice(json)?;
        let capacity = Limit::of_map(&root.max_resource);
        let mut tree = Self {
            queues: BTreeMap::new(),
            capacity,
        };
        let cluster = Inherited {
            maximum: Limit::NONE,
            headroom: Limit::NONE,
            slots: None,
        };
        tree.add(root, None, &cluster)?;
        Ok(tree)
    }

    /// The queue with this path.
    pub fn get(&self, path: &str) -> Option<&Queue> {
        self.queues.get(path)
    }

    /// All queues in the order of their paths.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values()
    }

    /// What the cluster's nodes have now.
    pub fn capacity(&self) -> &Limit {
        &self.capacity
    }

    fn add(
        &mut self,
        wire: WireQueue,
        parent: Option<&str>,
        above: &Inherited,
    ) -> Result<(), ParseError> {
        let name = wire.name;
        let known_place = parent.is_none_or(|parent| {
            name.strip_prefix(parent)
                .is_some_and(|rest| rest.starts_with('.') && rest.len() > 1)
        });
        if name.is_empty() || !known_place {
            let parent = parent.unwrap_or_default().to_owned();
            return Err(ParseError::Name { name, parent });
        }
        let allocated = Amount::of_map(&wire.allocated_resource);
        let own_maximum = Limit::of_map(&wire.max_resource);
        let busy = wire
            .running_apps
            .saturating_add(wire.allocating_accepted_apps.len() as u64);
        let own_slots =
            (wire.max_running_apps > 0).then(|| wire.max_running_apps.saturating_sub(busy));
        let inherited = Inherited {
            maximum: if parent.is_none() {
                Limit::NONE
            } else {
                above.maximum.min(&own_maximum)
            },
            headroom: above.headroom.min(&own_maximum.without(&allocated)),
            slots: above.slots.into_iter().chain(own_slots).min(),
        };
        let queue = Queue {
            path: name.clone(),
            leaf: wire.is_leaf,
            open: !matches!(wire.status.as_str(), "Draining" | "Stopped"),
            sorting_policy: wire.sorting_policy,
            guaranteed: Limit::of_map(&wire.guaranteed_resource),
            maximum: inherited.maximum.clone(),
            headroom: inherited.headroom.clone(),
            allocated,
            maximum_running_applications: wire.max_running_apps,
            running_applications: wire.running_apps,
            free_application_slots: inherited.slots,
        };
        self.queues.insert(name.clone(), queue);
        wire.children
            .into_iter()
            .try_for_each(|child| self.add(child, Some(&name), &inherited))
    }
}

/// What a queue passes on to its children.
#[derive(Debug, Clone)]
struct Inherited {
    maximum: Limit,
    headroom: Limit,
    slots: Option<u64>,
}

/// A queue as YuniKorn writes it; it leaves empty fields out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireQueue {
    #[serde(rename = "queuename")]
    name: String,
    status: String,
    max_resource: ResourceMap,
    guaranteed_resource: ResourceMap,
    allocated_resource: ResourceMap,
    is_leaf: bool,
    max_running_apps: u64,
    running_apps: u64,
    allocating_accepted_apps: Vec<String>,
    sorting_policy: String,
    children: Vec<Self>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUNNING: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/corpora/yunikorn/queues-running.json"
    ));

    #[test]
    fn recorded_tree_is_read_with_its_inherited_limits() {
        let tree = QueueTree::parse(RUNNING.as_bytes()).unwrap();
        let paths: Vec<_> = tree.queues().map(|queue| queue.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "root",
                "root.ads",
                "root.ads.adhoc",
                "root.ads.etl",
                "root.search"
            ]
        );
        let etl = tree.get("root.ads.etl").unwrap();
        let ads_maximum = Limit {
            cpu_millicores: Some(6000),
            memory_bytes: Some(12_884_901_888),
            ..Limit::NONE
        };
        assert_eq!(etl.maximum, ads_maximum);
        let headroom = Limit {
            cpu_millicores: Some(1700),
            memory_bytes: Some(10_066_329_600),
            pods: Some(107),
            ..Limit::NONE
        };
        assert_eq!(
            etl.headroom, headroom,
            "what YuniKorn itself calls headroom"
        );
        assert_eq!(
            (etl.leaf, etl.open, etl.running_applications),
            (true, true, 1)
        );
        assert_eq!(etl.free_application_slots, Some(9));
        let search = tree.get("root.search").unwrap();
        assert_eq!(
            search.maximum,
            Limit::NONE,
            "the cluster's size is no limit of a queue"
        );
        assert_eq!(tree.capacity().cpu_millicores, Some(2000));
    }

    #[test]
    fn absent_fields_are_zero() {
        let tree = QueueTree::parse(br#"{"queuename":"root","children":[{"queuename":"root.a"}]}"#);
        let tree = tree.unwrap();
        let queue = tree.get("root.a").unwrap();
        assert_eq!((queue.leaf, queue.running_applications), (false, 0));
        assert_eq!(
            (&queue.maximum, &queue.headroom),
            (&Limit::NONE, &Limit::NONE)
        );
        assert_eq!(queue.free_application_slots, None);
    }

    #[test]
    fn an_ancestors_application_limit_holds_for_its_leaves() {
        let json = br#"{"queuename":"root","children":[{"queuename":"root.a","maxRunningApps":2,
            "runningApps":1,"allocatingAcceptedApps":["x"],
            "children":[{"queuename":"root.a.b","isLeaf":true,"maxRunningApps":9}]}]}"#;
        let tree = QueueTree::parse(json).unwrap();
        assert_eq!(
            tree.get("root.a.b").unwrap().free_application_slots,
            Some(0)
        );
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"queuename":"root","maxResource":{"vcore":"many"}}"#,
            r#"{"queuename":"root","children":[{"queuename":"other.a"}]}"#,
            r#"{"queuename":"root","children":[{"queuename":"root."}]}"#,
        ] {
            assert!(QueueTree::parse(json.as_bytes()).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn damaged_trees_never_panic(at in 0..RUNNING.len(), byte: u8) {
            let mut json = RUNNING.as_bytes().to_vec();
            json[at] = byte;
            let _ = QueueTree::parse(&json);
            let _ = QueueTree::parse(&json[..at]);
        }
    }
}
