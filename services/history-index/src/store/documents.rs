//! Documents as they were saved.

use serde::Deserialize;

use super::records::parse_document;
use crate::domain::model::Job;

/// A page of documents of type `T`, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents<T> {
    /// The page.
    pub items: Vec<T>,
    /// Whether more follow.
    pub goes_on: bool,
}

impl<T> Documents<T> {
    /// Cuts a page that was read one item further.
    pub(super) fn cut(mut items: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let goes_on = items.len() > limit;
        items.truncate(limit);
        Self { items, goes_on }
    }
}

pub(super) fn job(document: &str, failure: String) -> Result<Job, moka_db::Error> {
    let job: Job = parse_document(document)?;
    Ok(Job {
        failure: Some(failure).filter(|failure| !failure.is_empty()),
        ..job
    })
}

pub(super) fn read<T: for<'a> Deserialize<'a>>(document: &str) -> Result<T, moka_db::Error> {
    parse_document(document)
}
