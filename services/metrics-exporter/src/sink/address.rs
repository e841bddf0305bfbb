//! `host:port`.

use std::{fmt, str::FromStr};

/// A host, by name or address, and a port. The name is looked up for every connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkAddress {
    /// Without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The address cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address is of the form host:port")]
pub struct ParseSinkAddressError;

impl FromStr for SinkAddress {
    type Err = ParseSinkAddressError;

    /// An IPv6 address may go without brackets, since `$(HOST_IP):18126` in a manifest has none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseSinkAddressError)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(ParseSinkAddressError)?;
        if bare.is_empty() || bare.contains(['$', '/', '[', ']', ' ']) {
            return Err(ParseSinkAddressError);
        }
        Ok(Self {
            host: bare.to_owned(),
            port,
        })
    }
}

impl fmt::Display for SinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind_are_read() {
        for (text, expected) in [
            ("10.88.0.1:18126", Some("10.88.0.1:18126")),
            ("agent.local:4242", Some("agent.local:4242")),
            ("[fd00::1]:18126", Some("[fd00::1]:18126")),
            ("fd00::1:18126", Some("[fd00::1]:18126")),
            ("$(HOST_IP):18126", None),
            (":18126", None),
            ("host", None),
            ("host:0", None),
            ("host:65536", None),
        ] {
            let read = text
                .parse::<SinkAddress>()
                .ok()
                .map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
