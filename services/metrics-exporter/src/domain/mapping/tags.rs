//! Which labels become tags.

use std::{borrow::Cow, str::FromStr};

use super::{
    Policy,
    characters::{is_legal, push_tag_value},
};
use crate::domain::exposition::Labels;

/// OpenTSDB takes no more on a series.
pub const MAXIMUM_TAGS: usize = 8;

/// Labels that tell the series of one metric apart, so they come before everything else.
const IDENTITY: [&str; 3] = ["executor_id", "le", "quantile"];
/// OpenTSDB wants at least one tag.
const FALLBACK: (&str, &str) = ("source", "moka");

/// Tags of every line, by configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticTags(Vec<(String, String)>);

/// The tags cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTagsError {
    /// No `=` in one of them.
    #[error("{0:?} is not of the form key=value")]
    Form(String),
    /// A key with illegal characters.
    #[error("the key {0:?} must be letters, digits, '-', '_', '.' or '/'")]
    Key(String),
    /// A tag without a value.
    #[error("the tag {0:?} has no value")]
    Empty(String),
    /// One key twice.
    #[error("the tag {0:?} is given twice")]
    Repeated(String),
    /// More than a line may have.
    #[error("at most {MAXIMUM_TAGS} tags can be given")]
    TooMany,
}

impl FromStr for StaticTags {
    type Err = ParseTagsError;

    /// Reads `key=value,…`; an empty text is no tags. A value may have any characters: they are
    /// escaped like those of labels.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let (key, value) = tag
                .split_once('=')
                .ok_or_else(|| ParseTagsError::Form(tag.to_owned()))?;
            if key.is_empty() || !key.bytes().all(is_legal) {
                return Err(ParseTagsError::Key(key.to_owned()));
            }
            if value.is_empty() {
                return Err(ParseTagsError::Empty(key.to_owned()));
            }
            if tags.iter().any(|(known, _)| known == key) {
                return Err(ParseTagsError::Repeated(key.to_owned()));
            }
            tags.push((key.to_owned(), value.to_owned()));
        }
        if tags.len() > MAXIMUM_TAGS {
            return Err(ParseTagsError::TooMany);
        }
        Ok(Self(tags))
    }
}

/// The tags of one line.
#[derive(Debug)]
pub(super) struct Tags<'a> {
    chosen: Vec<Tag<'a>>,
    /// How many did not fit.
    pub(super) over_budget: usize,
}

/// Ordered by importance.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tag<'a> {
    rank: Rank,
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Identity,
    Static,
    Label,
}

impl<'a> Tags<'a> {
    /// The most important tags, in an order that does not depend on that of the labels.
    pub(super) fn of(policy: &'a Policy, labels: Labels<'a>, executor_id: Option<&'a str>) -> Self {
        let mut chosen: Vec<Tag<'a>> = Vec::with_capacity(MAXIMUM_TAGS);
        chosen.extend(policy.static_tags.0.iter().map(|(key, value)| Tag {
            rank: Rank::Static,
            key: Cow::Borrowed(key),
            value: Cow::Borrowed(value),
        }));
        let named = executor_id.map(|id| ("executor_id", Cow::Borrowed(id)));
        // In Prometheus an empty label is the same as none.
        let labels = labels.iter().filter(|(key, value)| {
            !value.is_empty() && !policy.dropped_labels.iter().any(|dropped| dropped == key)
        });
        let mut labels: Vec<_> = named.into_iter().chain(labels).collect();
        labels.sort_unstable();
        for (key, value) in labels {
            let rank = if IDENTITY.contains(&key) {
                Rank::Identity
            } else {
                Rank::Label
            };
            let value = if key == "le" && value == "+Inf" {
                Cow::Borrowed("Inf")
            } else {
                value
            };
            let key = free_key(&chosen, key);
            chosen.push(Tag { rank, key, value });
        }
        chosen.sort_unstable();
        let over_budget = chosen.len().saturating_sub(MAXIMUM_TAGS);
        chosen.truncate(MAXIMUM_TAGS);
        Self {
            chosen,
            over_budget,
        }
    }

    pub(super) fn write_to(&self, text: &mut String) {
        for Tag { key, value, .. } in &self.chosen {
            text.extend([" ", key, "="]);
            push_tag_value(text, value);
        }
        if self.chosen.is_empty() {
            text.extend([" ", FALLBACK.0, "=", FALLBACK.1]);
        }
    }
}

/// A label whose key is taken by a static tag keeps its value under another key, as Prometheus does
/// it.
fn free_key<'a>(taken: &[Tag<'_>], key: &'a str) -> Cow<'a, str> {
    let mut key = Cow::Borrowed(key);
    while taken.iter().any(|tag| tag.key == key) {
        key = Cow::Owned(format!("exported_{key}"));
    }
    key
}
