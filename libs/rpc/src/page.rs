//! Pages of a list: sizes, and tokens that only continue the list they came from.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use moka_core::{ErrorReason, FieldViolation, PublicError};
use prost::Message;

/// Entries of a page when the request does not say.
pub const DEFAULT_SIZE: u32 = 50;
/// Most entries of a page; a larger wish is cut to this.
pub const MAX_SIZE: u32 = 1000;

/// First byte of a token, so that the format can change.
const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = size_of::<u64>();

/// What a request asks for, apart from the page. Equal for all pages of one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of a request whose `page_size` and `page_token` have been cleared. The same
    /// on every replica and in every release that encodes the request the same way; map fields
    /// do not belong in list requests, for their order varies.
    pub fn of(request: &impl Message) -> Self {
        // FNV-1a: a token is a bookmark, not a secret, so only accidents need to be found.
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let bytes = request.encode_to_vec();
        Self(bytes.iter().fold(OFFSET, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
        }))
    }
}

/// The page that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many entries at most: 1 to [`MAX_SIZE`].
    pub size: u32,
    /// Key of the last entry of the page before, as it was given to [`Page::token_after`]; `None`
    /// for the first page.
    pub after: Option<String>,
    fingerprint: Fingerprint,
}

impl Page {
    /// Reads the page out of a request's fields.
    ///
    /// # Errors
    ///
    /// `INVALID_FIELD` for a negative size, `INVALID_PAGE_TOKEN` for a token that is damaged or was
    /// given for another request.
    pub fn parse(
        page_size: i32,
        page_token: &str,
        fingerprint: Fingerprint,
    ) -> Result<Self, PublicError> {
        let size = match u32::try_from(page_size) {
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
            Err(_negative) => {
                return Err(PublicError::invalid(vec![FieldViolation {
                    field: "page_size".to_owned(),
                    description: format!("must be 0 to {MAX_SIZE}; 0 means {DEFAULT_SIZE}"),
                }]));
            }
        };
        let after = match page_token {
            "" => None,
            token => Some(key_of(token, fingerprint).ok_or_else(invalid_token)?),
        };
        Ok(Self {
            size,
            after,
            fingerprint,
        })
    }

    /// Cuts what was read to this page, and gives the token of the next one, which is empty when
    /// there is none. To know that, one entry more than [`Page::size`] has to be read.
    pub fn cut<T>(&self, mut read: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = read.len() > size;
        read.truncate(size);
        let token = match read.last() {
            Some(last) if more => self.token_after(&key(last)),
            _ => String::new(),
        };
        (read, token)
    }

    /// The token of the page that begins after the entry with `key`.
    pub fn token_after(&self, key: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.fingerprint.0.to_be_bytes());
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn key_of(token: &str, fingerprint: Fingerprint) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let rest = bytes.strip_prefix(&[VERSION])?;
    let (found, key) = rest.split_first_chunk::<FINGERPRINT_BYTES>()?;
    if u64::from_be_bytes(*found) != fingerprint.0 {
        return None;
    }
    String::from_utf8(key.to_vec()).ok()
}

fn invalid_token() -> PublicError {
    PublicError::new(
        ErrorReason::InvalidPageToken,
        "the page token is damaged or was given for another request; start from the first page",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(filter: &str) -> Fingerprint {
        Fingerprint::of(&filter.to_owned())
    }

    #[test]
    fn token_continues_its_own_list_only() {
        let first = Page::parse(10, "", fingerprint("state = FAILED")).unwrap();
        assert_eq!((first.size, first.after.clone()), (10, None));
        let token = first.token_after("2026-11-21/äpp");
        let second = Page::parse(20, &token, fingerprint("state = FAILED")).unwrap();
        assert_eq!(
            (second.size, second.after.as_deref()),
            (20, Some("2026-11-21/äpp"))
        );
        let error = Page::parse(10, &token, fingerprint("state = RUNNING")).unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidPageToken);
    }

    #[test]
    fn only_a_page_that_was_read_beyond_has_a_next_one() {
        let page = Page::parse(2, "", fingerprint("")).unwrap();
        let key = |number: &i32| number.to_string();
        assert_eq!(page.cut(vec![1, 2], key), (vec![1, 2], String::new()));
        let (entries, token) = page.cut(vec![1, 2, 3], key);
        assert_eq!(entries, [1, 2]);
        let next = Page::parse(2, &token, fingerprint("")).unwrap();
        assert_eq!(next.after.as_deref(), Some("2"));
    }

    #[test]
    fn damaged_tokens_are_refused() {
        let token = Page::parse(0, "", fingerprint(""))
            .unwrap()
            .token_after("key");
        for damaged in ["x", "====", &token[1..], &token[..6], &format!("{token}!")] {
            let error = Page::parse(0, damaged, fingerprint("")).unwrap_err();
            assert_eq!(error.reason, ErrorReason::InvalidPageToken, "{damaged}");
        }
    }

    #[test]
    fn sizes_are_defaulted_cut_and_checked() {
        for (asked, expected) in [
            (0, Ok(50)),
            (1, Ok(1)),
            (1000, Ok(1000)),
            (i32::MAX, Ok(1000)),
        ] {
            let page = Page::parse(asked, "", fingerprint(""));
            assert_eq!(page.map(|page| page.size), expected);
        }
        let error = Page::parse(-1, "", fingerprint("")).unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidField);
        assert_eq!(error.violations[0].field, "page_size");
    }
}
