//! Which queues there are, over all clusters.

use std::collections::BTreeMap;

use moka_core::{ErrorReason, PublicError};

/// The last copy of the queue trees: whether each path is a leaf in any cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueTree {
    leaf_by_path: BTreeMap<String, bool>,
}

impl QueueTree {
    /// Makes a copy from (path, leaf) pairs; a path counts as a leaf when it is one somewhere.
    pub fn new(queues: impl IntoIterator<Item = (String, bool)>) -> Self {
        let mut leaf_by_path = BTreeMap::new();
        for (path, leaf) in queues {
            *leaf_by_path.entry(path).or_default() |= leaf;
        }
        Self { leaf_by_path }
    }

    /// Checks that applications can run in a queue.
    ///
    /// # Errors
    ///
    /// `UNKNOWN_QUEUE`, naming `spec.queue`.
    pub fn check(&self, path: &str) -> Result<(), PublicError> {
        let problem = match self.leaf_by_path.get(path) {
            Some(true) => return Ok(()),
            Some(false) => "has queues below it; name one of those",
            None => "does not exist",
        };
        let message = format!("queue {path} {problem}");
        let error = PublicError::new(ErrorReason::UnknownQueue, message);
        Err(error.with_field("spec.queue", problem))
    }

    /// How many queues are known.
    pub fn len(&self) -> usize {
        self.leaf_by_path.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.leaf_by_path.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leaves_take_applications() {
        let tree = QueueTree::new([
            ("root".to_owned(), false),
            ("root.demo".to_owned(), true),
            ("root.mixed".to_owned(), false),
            ("root.mixed".to_owned(), true),
        ]);
        for (path, description) in [
            ("root.demo", None),
            ("root.mixed", None),
            ("root", Some("has queues below it; name one of those")),
            ("root.nosuch", Some("does not exist")),
        ] {
            let found = tree.check(path).err().map(|error| {
                assert_eq!(error.reason, ErrorReason::UnknownQueue);
                assert_eq!(error.violations[0].field, "spec.queue");
                error.violations[0].description.clone()
            });
            assert_eq!(found.as_deref(), description, "{path}");
        }
    }
}
