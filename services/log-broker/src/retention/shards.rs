//! Which shard of all applications is looked at next, when several processes look.
//!
//! Each shard has a mark in the store, which is put anew before the shard is looked at, on the
//! condition that nobody else has put it. So of several processes one looks. A mark only says when
//! somebody began: whatever becomes of that process, the shard is due again after a while, and
//! looking twice harms nobody.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};
use moka_objects::{ETag, ObjectKey, ObjectMeta, PutCondition};

use super::Retention;
use crate::{domain::retention::SWEPT_PREFIX, error::Error};

/// Characters of an application id; a shard is two of them.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many shards there are.
pub const SHARD_COUNT: usize = ALPHABET.len() * ALPHABET.len();
/// A shard is due again after so many rounds. One process alone comes back after [`SHARD_COUNT`],
/// and finds all of them due; of several, all together do hardly more.
const DUE_AFTER_ROUNDS: i32 = 768;
/// How many shards that another process was faster to take are passed over in a round.
const TRIES: usize = 8;

/// When somebody began to look at each shard last.
pub(super) type Marks = BTreeMap<usize, ObjectMeta>;

/// The two last characters of the ids in a shard.
pub(super) fn shard_name(shard: usize) -> String {
    let digits = ALPHABET.len();
    let name = [ALPHABET[shard / digits % digits], ALPHABET[shard % digits]];
    name.map(char::from).iter().collect()
}

fn shard_of(name: &str) -> Option<usize> {
    let digit = |character: u8| ALPHABET.iter().position(|known| *known == character);
    match name.as_bytes() {
        [first, second] => Some(digit(*first)? * ALPHABET.len() + digit(*second)?),
        _ => None,
    }
}

impl Retention {
    pub(super) async fn marks(&self) -> Result<Marks, Error> {
        let listed = self.objects.list(SWEPT_PREFIX).await?;
        let named = listed.into_iter();
        Ok(named
            .filter_map(|mark| Some((shard_of(mark.key.name())?, mark)))
            .collect())
    }

    /// Takes the shard that nobody has looked at for the longest time, of those without a mark the
    /// next one after `begin`; `None` when all were looked at lately, or others take them.
    pub(super) async fn take_shard(
        &self,
        marks: &Marks,
        begin: usize,
        interval: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<(usize, ETag)>, Error> {
        let period = interval
            .checked_mul(DUE_AFTER_ROUNDS)
            .unwrap_or(SignedDuration::MAX);
        // A mark from the future was put while a clock was ahead.
        let age = |mark: &ObjectMeta| now.duration_since(mark.modified).abs();
        let mut due: Vec<_> = (0..SHARD_COUNT)
            .map(|distance| (begin + distance) % SHARD_COUNT)
            .map(|shard| (marks.get(&shard), shard))
            .filter(|(mark, _)| mark.is_none_or(|mark| age(mark) >= period))
            .collect();
        due.sort_by_key(|(mark, _)| Reverse(mark.map_or(SignedDuration::MAX, age)));
        for (mark, shard) in due.into_iter().take(TRIES) {
            let key = ObjectKey::new(format!("{SWEPT_PREFIX}{}", shard_name(shard)))?;
            let condition = mark.map_or(PutCondition::IfAbsent, |mark| {
                PutCondition::IfMatch(mark.etag.clone())
            });
            // The content makes another version of it.
            let put = self.store().put(&key, now.to_string().into(), condition);
            match put.await {
                Ok(etag) => return Ok(Some((shard, etag))),
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_its_name() {
        for shard in 0..SHARD_COUNT {
            assert_eq!(shard_of(&shard_name(shard)), Some(shard));
        }
        assert_eq!(shard_name(23 * 32 + 31), "qz");
        for name in ["", "a", "aaa", "il", "Aa"] {
            assert_eq!(shard_of(name), None, "{name}");
        }
    }
}
