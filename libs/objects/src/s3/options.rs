//! Where a bucket is, and who we are to it.

use std::{fmt, time::Duration};

use crate::ObjectKey;

/// Access to a bucket by a key pair.
#[derive(Clone)]
pub struct S3Credentials {
    /// The key's name.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// Goes with temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Where a bucket is and how long to wait for it.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The bucket.
    pub bucket: String,
    /// Stands before every key, with a `/` between.
    pub prefix: Option<ObjectKey>,
    /// The server, when it is not AWS.
    pub endpoint: Option<String>,
    /// The region; from the environment or the machine when absent, `us-east-1` when nobody says.
    pub region: Option<String>,
    /// Whether the bucket stands in the path instead of the host's name.
    pub path_style: bool,
    /// The environment, the profile or the machine's role when absent.
    pub credentials: Option<S3Credentials>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest single try of a request.
    pub attempt_timeout: Duration,
    /// Longest request with all its tries, and longest reading of an answer's body.
    pub operation_timeout: Duration,
    /// Tries of one request. A conditional put is tried once only, since a second try would meet
    /// the first one's object.
    pub max_attempts: u32,
}

impl S3Options {
    /// A bucket with everything else at its default.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: None,
            endpoint: None,
            region: None,
            path_style: false,
            credentials: None,
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(30),
            operation_timeout: Duration::from_secs(90),
            max_attempts: 4,
        }
    }
}
