//! Stores by URL.

use std::{collections::BTreeMap, sync::Arc};

use crate::{DirectoryStore, MemoryStore, ObjectKey, ObjectStore, OpenError, S3Options, S3Store};

/// Opens the store that a URL names:
///
/// - `memory:`, empty at each call
/// - `file:///<directory>`, an absolute path
/// - `s3://<bucket>[/<prefix>][?endpoint=<url>][&region=<name>][&path_style=true]`, with
///   credentials from the environment, the profile or the machine's role
///
/// # Errors
/// [`OpenError::InvalidUrl`] says what is wrong; [`OpenError::Directory`] when the directory cannot
/// be used. Whether S3 answers shows only with the first operation.
pub async fn open(url: &str) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let invalid = |problem: String| OpenError::InvalidUrl {
        url: url.to_owned(),
        problem,
    };
    match parse(url).map_err(invalid)? {
        Location::Memory => Ok(Arc::new(MemoryStore::new())),
        Location::Directory(path) => Ok(Arc::new(DirectoryStore::open(path).await?)),
        Location::S3(options) => Ok(Arc::new(S3Store::open(options).await)),
    }
}

#[derive(Debug)]
enum Location {
    Memory,
    Directory(String),
    S3(S3Options),
}

fn parse(url: &str) -> Result<Location, String> {
    let (scheme, rest) = url.split_once(':').ok_or_else(unknown_scheme)?;
    match scheme {
        "memory" if rest.is_empty() => Ok(Location::Memory),
        "memory" => Err("nothing may follow `memory:`".to_owned()),
        "file" => directory(rest),
        "s3" => s3(rest),
        _ => Err(unknown_scheme()),
    }
}

fn unknown_scheme() -> String {
    "it must start with `file:///`, `s3://` or `memory:`".to_owned()
}

fn directory(rest: &str) -> Result<Location, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("the directory must be absolute, as in `file:///var/lib/moka`".to_owned());
    }
    if path.contains('?') {
        return Err("`file:` URLs have no parameters".to_owned());
    }
    Ok(Location::Directory(decode(path)?))
}

fn s3(rest: &str) -> Result<Location, String> {
    let rest = rest
        .strip_prefix("//")
        .ok_or("a bucket must follow, as in `s3://bucket/prefix`")?;
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = location.split_once('/').unwrap_or((location, ""));
    if bucket.is_empty() {
        return Err("a bucket must follow, as in `s3://bucket/prefix`".to_owned());
    }
    let mut options = S3Options::new(bucket);
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() {
        let prefix = ObjectKey::new(decode(prefix)?);
        options.prefix = Some(prefix.map_err(|error| format!("the prefix {}", error.problem))?);
    }
    for (name, value) in parameters(query)? {
        match name {
            "endpoint" if value.starts_with("http://") || value.starts_with("https://") => {
                options.endpoint = Some(value);
            }
            "endpoint" => {
                return Err("`endpoint` must start with `http://` or `https://`".to_owned());
            }
            "region" => options.region = Some(value),
            "path_style" => options.path_style = boolean(name, &value)?,
            _ => {
                return Err(format!(
                    "unknown parameter `{name}`; known are endpoint, region, path_style"
                ));
            }
        }
    }
    Ok(Location::S3(options))
}

fn parameters(query: &str) -> Result<BTreeMap<&str, String>, String> {
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if value.is_empty() {
            return Err(format!("parameter `{name}` has no value"));
        }
        if parameters.insert(name, decode(value)?).is_some() {
            return Err(format!("parameter `{name}` is there twice"));
        }
    }
    Ok(parameters)
}

fn boolean(name: &str, value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_not_boolean| format!("`{name}` must be `true` or `false`"))
}

/// Resolves `%` and two hexadecimal digits.
fn decode(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` has a `%` without two hexadecimal digits of a character");
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_not_a_digit| wrong())?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_not_text| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_errors_are_clear_sentences() {
        for (url, problem) in [
            ("/var/lib/moka", "it must start with"),
            ("gs://bucket", "it must start with"),
            ("memory:x", "nothing may follow"),
            ("file://relative/path", "must be absolute"),
            ("file:///a?b=c", "no parameters"),
            ("s3:bucket", "a bucket must follow"),
            ("s3:///prefix", "a bucket must follow"),
            ("s3://b/a//b", "has an empty segment"),
            (
                "s3://b?endpoint=localhost:9000",
                "must start with `http://`",
            ),
            ("s3://b?path_style=yes", "must be `true` or `false`"),
            ("s3://b?region=", "has no value"),
            ("s3://b?region=a&region=b", "is there twice"),
            ("s3://b?acl=public", "unknown parameter `acl`"),
            ("file:///a%2", "hexadecimal"),
        ] {
            let found = parse(url).unwrap_err();
            assert!(found.contains(problem), "{url}: {found}");
        }
    }

    #[test]
    fn s3_urls_are_read_whole() {
        let url = "s3://bucket/a/b/?endpoint=http%3A%2F%2F127.0.0.1:7070&region=us-east-1&path_style=true";
        let Ok(Location::S3(options)) = parse(url) else {
            panic!("no S3 location")
        };
        assert_eq!(options.bucket, "bucket");
        assert_eq!(options.prefix.unwrap().as_str(), "a/b");
        assert_eq!(options.endpoint.as_deref(), Some("http://127.0.0.1:7070"));
        assert_eq!(options.region.as_deref(), Some("us-east-1"));
        assert!(options.path_style);
    }
}
