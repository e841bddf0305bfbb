//! What changes of clusters, projects and strategies have in common: masks, revisions, and writes
//! on top of what the caller has seen.

use moka_core::PublicError;
use moka_rpc::Violations;
use prost_types::FieldMask;

use super::Error;
use crate::store::fleet;

/// Writers without a revision of their own try again when somebody else was faster.
const TRIES: usize = 5;
/// Who changes things, in the audit log.
pub(super) const ACTOR: &str = "api";

/// Whether every path of a mask names one of some fields.
pub(super) fn check_mask(violations: &mut Violations, mask: &[String], fields: &[&str]) {
    if mask.iter().any(|path| !fields.contains(&path.as_str())) {
        let fields = fields.join(", ");
        violations.add("update_mask", format!("must name only {fields}"));
    }
}

/// The paths of a mask; none when there is no mask.
pub(super) fn paths(mask: Option<&FieldMask>) -> Vec<String> {
    mask.map(|mask| mask.paths.clone()).unwrap_or_default()
}

/// Revisions begin with 1, and 0 is whatever there is.
pub(super) fn check_revision(violations: &mut Violations, field: &str, revision: i64) {
    violations.range(field, &revision, &(0..=i64::MAX));
}

/// Moves the fields that a mask names from one message to another.
macro_rules! apply_mask {
    ($mask:expr, $from:expr => $to:expr, [$($field:ident),* $(,)?]) => {
        for path in $mask {
            match path.as_str() {
                $(stringify!($field) => $to.$field.clone_from(&$from.$field),)*
                _ => {}
            }
        }
    };
}
pub(super) use apply_mask;

/// Reads, merges and writes until nobody was faster. `attempt` gets the number of the try.
pub(super) async fn until_written<T, F>(
    revision: i64,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt().await {
            Err(Error::Fleet(fleet::Error::RevisionConflict(_)))
                if revision == 0 && tries < TRIES => {}
            other => return other,
        }
    }
}

/// Refuses a change on top of something that the caller has not seen.
pub(super) fn expect_revision(asked: i64, found: i64) -> Result<(), Error> {
    if asked == 0 || asked == found {
        Ok(())
    } else {
        Err(PublicError::from(fleet::Error::RevisionConflict(found)).into())
    }
}
