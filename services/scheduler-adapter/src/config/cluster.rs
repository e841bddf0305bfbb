//! `name=URL`, one cluster.

use std::str::FromStr;

use reqwest::Url;

/// Longest name of a cluster, in bytes: it is part of Kubernetes labels elsewhere.
const NAME_BYTES: usize = 63;

/// A cluster and where its YuniKorn answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAddress {
    /// The cluster's name.
    pub name: String,
    /// Base URL of YuniKorn's REST.
    pub yunikorn_url: Url,
}

/// The option cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseClusterError {
    /// No `=` in it.
    #[error("a cluster is written as name=URL")]
    Form,
    /// The name is not a DNS label.
    #[error("the name is 1 to {NAME_BYTES} lowercase letters, digits or '-'")]
    Name,
    /// Not an HTTP URL.
    #[error("the URL is of the form http://host:port")]
    Url,
}

impl FromStr for ClusterAddress {
    type Err = ParseClusterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, url) = text.trim().split_once('=').ok_or(ParseClusterError::Form)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(allowed) {
            return Err(ParseClusterError::Name);
        }
        let yunikorn_url = Url::parse(url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let yunikorn_url = yunikorn_url.ok_or(ParseClusterError::Url)?;
        Ok(Self {
            name: name.to_owned(),
            yunikorn_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_read_and_mistakes_are_named() {
        let read: ClusterAddress = "local=http://yunikorn-service.yunikorn:9080"
            .parse()
            .unwrap();
        assert_eq!(read.name, "local");
        assert_eq!(
            read.yunikorn_url.as_str(),
            "http://yunikorn-service.yunikorn:9080/"
        );
        for (text, expected) in [
            ("local", ParseClusterError::Form),
            ("=http://a", ParseClusterError::Name),
            ("Local=http://a", ParseClusterError::Name),
            ("local=yunikorn:9080", ParseClusterError::Url),
            ("local=http://a?b", ParseClusterError::Url),
        ] {
            assert_eq!(text.parse::<ClusterAddress>(), Err(expected), "{text}");
        }
    }
}
