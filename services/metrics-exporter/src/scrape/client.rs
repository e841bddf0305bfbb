//! One question to one endpoint.

use std::time::Duration;

use reqwest::{
    Client, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE},
    redirect,
};

use crate::domain::exposition::Format;

/// The simpler format first: the other one has nothing that OpenTSDB could hold in addition.
const ACCEPTED: &str =
    "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1";

/// Spark sends `/metrics/prometheus` on to `/metrics/prometheus/`; nobody needs many such steps.
const MAXIMUM_REDIRECTS: usize = 3;

/// Asks endpoints. Clones share the connections.
#[derive(Debug, Clone)]
pub struct ScrapeClient {
    http: Client,
    limit_bytes: usize,
}

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The metrics.
    pub body: Vec<u8>,
    /// How they are written.
    pub format: Format,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// No answer within the deadline, or no connection.
    #[error("asking the endpoint")]
    Request(#[source] reqwest::Error),
    /// An answer other than success.
    #[error("the endpoint answers {0}")]
    Status(StatusCode),
    /// Not one line of the answer is a sample, such as Spark's request for patience while it
    /// starts.
    #[error("the answer holds no metrics")]
    NoMetrics,
    /// The answer is too large.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

impl ScrapeClient {
    /// A client with a deadline for each answer and a limit to its size.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(timeout: Duration, limit_bytes: usize) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .timeout(timeout)
            .redirect(redirect::Policy::custom(within_the_target))
            .no_proxy()
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self { http, limit_bytes })
    }

    /// Reads the metrics of an endpoint.
    ///
    /// # Errors
    ///
    /// [`ScrapeError`].
    pub async fn get(&self, url: Url) -> Result<Answer, ScrapeError> {
        let failed = |error: reqwest::Error| ScrapeError::Request(error.without_url());
        let request = self.http.get(url).header(ACCEPT, ACCEPTED);
        let mut answer = request.send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(ScrapeError::Status(answer.status()));
        }
        let content_type = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let format = Format::of_content_type(content_type.unwrap_or_default());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.limit_bytes {
                return Err(ScrapeError::TooLarge {
                    limit_bytes: self.limit_bytes,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { body, format })
    }
}

/// A target may send a scraper to another of its own pages, but not to another server.
fn within_the_target(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let same_server = attempt.previous().first().map(Url::origin) == Some(attempt.url().origin());
    if same_server && attempt.previous().len() <= MAXIMUM_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}
