//! YuniKorn's REST.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect};

use crate::domain::{
    application_state::ApplicationState,
    queue_tree::{ParseError, QueueTree},
};

/// The only partition that exists on Kubernetes.
const PARTITION: [&str; 4] = ["ws", "v1", "partition", "default"];
/// No answer of YuniKorn is larger: about 50,000 queues, or as many rejected applications.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// One cluster's YuniKorn. Clones share the connections.
#[derive(Debug, Clone)]
pub struct YuniKorn {
    http: Client,
    base: Url,
}

/// Why YuniKorn has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer within the deadline, or no connection.
    #[error("asking YuniKorn at {url}")]
    Request {
        /// What was asked.
        url: Url,
        /// What happened.
        source: reqwest::Error,
    },
    /// An answer other than success.
    #[error("YuniKorn at {url} answers {status}")]
    Status {
        /// What was asked.
        url: Url,
        /// The status.
        status: StatusCode,
    },
    /// The answer does not end.
    #[error("the answer of {url} is larger than {ANSWER_BYTES} bytes")]
    TooLarge {
        /// What was asked.
        url: Url,
    },
    /// The answer is no queue tree.
    #[error("understanding YuniKorn's queue tree")]
    QueueTree(#[source] ParseError),
    /// The answer is no application.
    #[error("understanding YuniKorn's application")]
    Application(#[source] serde_json::Error),
}

impl YuniKorn {
    /// Where YuniKorn answers, and how long that may take.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(base: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, base })
    }

    /// Reads the whole queue tree.
    ///
    /// # Errors
    ///
    /// [`Error`] when there is no usable answer.
    pub async fn queue_tree(&self) -> Result<QueueTree, Error> {
        let url = self.url(&["queues"]);
        match self.get(url.clone()).await? {
            Some(json) => QueueTree::parse(&json).map_err(Error::QueueTree),
            None => Err(Error::Status {
                url,
                status: StatusCode::NOT_FOUND,
            }),
        }
    }

    /// Asks for a live application, then among the rejected ones, which YuniKorn keeps apart.
    ///
    /// # Errors
    ///
    /// [`Error`] when there is no usable answer.
    pub async fn application_state(&self, application_id: &str) -> Result<ApplicationState, Error> {
        if let Some(json) = self.get(self.url(&["application", application_id])).await? {
            return ApplicationState::parse(&json).map_err(Error::Application);
        }
        let Some(json) = self.get(self.url(&["applications", "rejected"])).await? else {
            return Ok(ApplicationState::default());
        };
        let rejected = ApplicationState::find_rejected(&json, application_id);
        Ok(rejected.map_err(Error::Application)?.unwrap_or_default())
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("HTTP URLs have a path")
            .pop_if_empty()
            .extend(PARTITION)
            .extend(segments);
        url
    }

    /// The body of a good answer; `None` when there is no such thing.
    async fn get(&self, url: Url) -> Result<Option<Vec<u8>>, Error> {
        let failed = |source: reqwest::Error| Error::Request {
            url: url.clone(),
            source: source.without_url(),
        };
        let mut answer = self.http.get(url.clone()).send().await.map_err(failed)?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(Error::Status { url, status }),
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(Error::TooLarge { url });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}
