//! Where a process may listen.

use std::net::SocketAddr;

/// Which addresses a process may bind while it has neither TLS nor authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenPolicy {
    /// Only addresses that other machines cannot reach.
    LoopbackOnly,
    /// Every address: `--insecure-listen` was given.
    Anywhere,
}

/// The address can be reached from other machines, and `--insecure-listen` was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} can be reached from other machines, without TLS; listen on a loopback address or \
     give --insecure-listen"
)]
pub struct NotLoopback {
    /// The refused address.
    pub address: SocketAddr,
}

impl ListenPolicy {
    /// Hands the address back when it may be bound.
    ///
    /// # Errors
    ///
    /// [`NotLoopback`] when it may not.
    pub fn check(self, address: SocketAddr) -> Result<SocketAddr, NotLoopback> {
        match self {
            Self::LoopbackOnly if !address.ip().is_loopback() => Err(NotLoopback { address }),
            Self::LoopbackOnly | Self::Anywhere => Ok(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_allowed_without_the_flag() {
        for (text, allowed) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(
                ListenPolicy::LoopbackOnly.check(address).is_ok(),
                allowed,
                "{text}"
            );
            assert!(ListenPolicy::Anywhere.check(address).is_ok(), "{text}");
        }
    }
}
