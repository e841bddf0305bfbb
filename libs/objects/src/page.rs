//! Pages of a listing.

use crate::ObjectMeta;

/// Most entries of a page, as in S3. A larger limit is taken as this one.
pub const MAX_PAGE_SIZE: usize = 1000;

/// Some objects of a listing, in the order of their keys' UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The objects. A bucket may hold keys that are none of ours; they are left out, so that a
    /// page can be short, or empty, though there is a next one.
    pub objects: Vec<ObjectMeta>,
    /// The `start_after` of the next page; `None` at the end.
    pub next: Option<String>,
}

/// Some "directories" of a listing, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefixPage {
    /// The common prefixes, each with the prefix asked for at its front and `/` at its end.
    pub prefixes: Vec<String>,
    /// The `start_after` of the next page; `None` at the end.
    pub next: Option<String>,
}

/// Cuts a listing that was read one entry further than the page, to know whether it goes on.
pub(crate) fn cut<T>(
    mut entries: Vec<T>,
    limit: usize,
    name: impl Fn(&T) -> &str,
) -> (Vec<T>, Option<String>) {
    let goes_on = entries.len() > limit;
    entries.truncate(limit);
    let next = if goes_on {
        entries.last().map(|entry| name(entry).to_owned())
    } else {
        None
    };
    (entries, next)
}

/// The number of entries to put on a page.
pub(crate) fn page_size(limit: usize) -> usize {
    limit.clamp(1, MAX_PAGE_SIZE)
}
