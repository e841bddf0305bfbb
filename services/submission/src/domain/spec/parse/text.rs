//! Checks of texts, lists and maps.

use std::collections::{BTreeMap, BTreeSet};

use moka_rpc::Violations;

/// Longest URL, and longest path.
pub(super) const URL_BYTES: usize = 1024;
/// Linux starts no program with a longer argument: 128 KiB with the byte that ends it.
pub(super) const ONE_ARGUMENT_BYTES: usize = 128 * 1024 - 1;
/// Longest name of a Kubernetes object.
const DNS_NAME_BYTES: usize = 253;

/// A non-empty text without white space and control characters.
pub(in crate::domain) fn word(
    violations: &mut Violations,
    field: &str,
    text: &str,
    max_bytes: usize,
) {
    violations.non_empty(field, text);
    word_or_nothing(violations, field, text, max_bytes);
}

/// A text without white space and control characters, which may be empty.
pub(in crate::domain) fn word_or_nothing(
    violations: &mut Violations,
    field: &str,
    text: &str,
    max_bytes: usize,
) {
    violations.max_length(field, text, max_bytes);
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        violations.add(field, "must not have white space or control characters");
    }
}

/// Printable ASCII, which may be empty.
pub(in crate::domain) fn printable(
    violations: &mut Violations,
    field: &str,
    text: &str,
    max_bytes: usize,
) {
    violations.max_length(field, text, max_bytes);
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        violations.add(field, "must be printable ASCII");
    }
}

/// The name of a Kubernetes object: a DNS-1123 subdomain.
pub(in crate::domain) fn dns_name(violations: &mut Violations, field: &str, name: &str) {
    if name.len() > DNS_NAME_BYTES || !is_dns_name(name) {
        let rule = format!(
            "must be a DNS name of 1 to {DNS_NAME_BYTES} lowercase letters, digits, '-' and '.'"
        );
        violations.add(field, rule);
    }
}

/// Whether every part between dots is lowercase letters, digits and inner dashes.
pub(super) fn is_dns_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

/// A URL with a scheme, and something behind it.
pub(in crate::domain) fn url(violations: &mut Violations, field: &str, url: &str) {
    word_or_nothing(violations, field, url, URL_BYTES);
    let well_formed = url.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if !well_formed {
        violations.add(field, "must be a URL such as local:///opt/app/main.py");
    }
}

/// Whether a path is absolute and says what it means: no empty part, no `.`, no `..`, not `/`.
pub(in crate::domain) fn is_clean_absolute_path(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(is_clean_relative_path)
}

/// Whether a path has no empty part, no `.` and no `..`.
pub(super) fn is_clean_relative_path(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains(|c: char| c.is_control() || c == ':')
}

/// Whether a name can be a variable of a shell: a C identifier.
pub(in crate::domain) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A list, or a map, may have so many entries.
pub(in crate::domain) fn at_most(
    violations: &mut Violations,
    field: &str,
    count: usize,
    most: usize,
) {
    if count > most {
        violations.add(
            field,
            format!("must be at most {most} entries, are {count}"),
        );
    }
}

/// No two entries of a list may be equal.
pub(in crate::domain) fn distinct<T: Ord>(
    violations: &mut Violations,
    field: &str,
    entries: impl IntoIterator<Item = T>,
) {
    let mut seen = BTreeSet::new();
    if !entries.into_iter().all(|entry| seen.insert(entry)) {
        violations.add(field, "must not have an entry twice");
    }
}

/// A map may have so many entries, and so many bytes in all of its keys and values.
pub(super) fn map_size(
    violations: &mut Violations,
    field: &str,
    map: &BTreeMap<String, String>,
    most: usize,
    max_bytes: usize,
) {
    at_most(violations, field, map.len(), most);
    let texts = map.iter().flat_map(|(key, value)| [key, value]);
    bytes_in_all(violations, field, texts, max_bytes);
}

/// Texts may have so many bytes together.
pub(super) fn bytes_in_all<'a>(
    violations: &mut Violations,
    field: &str,
    texts: impl IntoIterator<Item = &'a String>,
    max_bytes: usize,
) {
    let bytes: usize = texts.into_iter().map(String::len).sum();
    if bytes > max_bytes {
        let rule = format!("must be at most {max_bytes} bytes in total, are {bytes}");
        violations.add(field, rule);
    }
}

/// One entry of a map, as a path. A long key is named by its beginning.
pub(in crate::domain) fn entry(field: &str, key: &str) -> String {
    let shown: String = key.chars().take(100).collect();
    format!("{field}[\"{shown}\"]")
}
