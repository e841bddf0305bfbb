//! The client and its single calls.

use std::time::Duration;

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    Application, CancelApplicationRequest, ExplainApplicationRequest, Explanation,
    GetApplicationLinksRequest, GetApplicationLinksResponse, GetApplicationRequest,
    RetryApplicationRequest, RetryApplicationResponse, SubmitApplicationRequest,
    ValidateApplicationRequest, ValidateApplicationResponse,
    submission_service_client::SubmissionServiceClient,
};
use moka_rpc::{
    Channel, ClientOptions,
    client::{ConnectError, Tls, connect},
};

use crate::retry::{Patience, repeatedly};

/// How a client behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Who calls, such as `nightly-reports/1.2`.
    pub user_agent: String,
    /// Deadline of a single call.
    pub deadline: Duration,
    /// How calls are repeated.
    pub patience: Patience,
    /// How long a watch may be silent before it is opened anew: the service gives a sign of life
    /// every few seconds.
    pub longest_silence: Duration,
    /// Certificates for `https://` addresses.
    pub tls: Tls,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: concat!("moka-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            deadline: Duration::from_secs(10),
            patience: Patience::default(),
            longest_silence: Duration::from_mins(2),
            tls: Tls::default(),
        }
    }
}

/// A client of submission. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Client {
    stub: SubmissionServiceClient<Channel>,
    pub(crate) options: Options,
}

impl Client {
    /// A client of the service at `http://host:port` or `https://host:port`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the address or an option cannot be used; never because nobody answers.
    pub fn connect(url: &str, options: Options) -> Result<Self, ConnectError> {
        let channel = connect(
            url,
            &ClientOptions {
                default_deadline: options.deadline,
                user_agent: options.user_agent.clone(),
                tls: options.tls.clone(),
                ..ClientOptions::default()
            },
        )?;
        Ok(Self::new(channel, options))
    }

    /// A client on a channel that is there already.
    pub fn new(channel: Channel, options: Options) -> Self {
        Self {
            stub: SubmissionServiceClient::new(channel),
            options,
        }
    }

    /// The generated client.
    pub fn stub(&self) -> SubmissionServiceClient<Channel> {
        self.stub.clone()
    }

    /// One application; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the service refuses, or does not answer for as long as patience lasts.
    pub async fn get(&self, application_id: &str) -> Result<Option<Application>, PublicError> {
        let request = GetApplicationRequest {
            application_id: application_id.to_owned(),
        };
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.get_application(request).await }
        });
        match answer.await {
            Ok(answer) => Ok(answer.application),
            Err(error) if error.reason == ErrorReason::ApplicationNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for the end of an application.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; `APPLICATION_NOT_FOUND` when there is none.
    pub async fn cancel(
        &self,
        request: CancelApplicationRequest,
    ) -> Result<Application, PublicError> {
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.cancel_application(request).await }
        });
        answer.await?.application.ok_or_else(empty)
    }

    /// Runs a final application once more.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; `APPLICATION_LIVE` while it has not ended.
    pub async fn retry(
        &self,
        application_id: &str,
    ) -> Result<RetryApplicationResponse, PublicError> {
        let request = RetryApplicationRequest {
            application_id: application_id.to_owned(),
        };
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.retry_application(request).await }
        });
        answer.await
    }

    /// What would become of a request.
    ///
    /// # Errors
    ///
    /// What submitting it would be refused with.
    pub async fn validate(
        &self,
        request: SubmitApplicationRequest,
    ) -> Result<ValidateApplicationResponse, PublicError> {
        let request = ValidateApplicationRequest {
            request: Some(request),
        };
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.validate_application(request).await }
        });
        answer.await
    }

    /// Why an application is not running, or why it failed.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; `APPLICATION_NOT_FOUND` when there is none.
    pub async fn explain(&self, application_id: &str) -> Result<Explanation, PublicError> {
        let request = ExplainApplicationRequest {
            application_id: application_id.to_owned(),
        };
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.explain_application(request).await }
        });
        answer.await?.explanation.ok_or_else(empty)
    }

    /// Where to look now.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; `APPLICATION_NOT_FOUND` when there is none.
    pub async fn links(
        &self,
        application_id: &str,
    ) -> Result<GetApplicationLinksResponse, PublicError> {
        let request = GetApplicationLinksRequest {
            application_id: application_id.to_owned(),
        };
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.get_application_links(request).await }
        });
        answer.await
    }
}

/// An answer without what it is about.
pub(crate) fn empty() -> PublicError {
    PublicError::new(
        ErrorReason::Internal,
        "the service answered without an application",
    )
}
