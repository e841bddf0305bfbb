//! The SDK's client: our TLS provider, timeouts on everything, few retries.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::{
    Client,
    config::{Builder, Credentials, retry::RetryConfig, timeout::TimeoutConfig},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::{S3Credentials, S3Options};

/// Requests are signed for some region, even where the server has none.
const LAST_REGION: &str = "us-east-1";

pub(super) async fn build(options: &S3Options) -> Client {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(options.connect_timeout)
        .operation_attempt_timeout(options.attempt_timeout)
        .operation_timeout(options.operation_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(options.max_attempts));
    // A region provider made here would lack the client above; the loader's own has it.
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(credentials) = &options.credentials {
        loader = loader.credentials_provider(explicit(credentials));
    }
    if let Some(endpoint) = &options.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let shared = loader.load().await;
    let region = shared
        .region()
        .cloned()
        .unwrap_or_else(|| Region::from_static(LAST_REGION));
    let config = Builder::from(&shared)
        .region(region)
        .force_path_style(options.path_style);
    Client::from_conf(config.build())
}

/// A request that is not tried again.
pub(super) fn once() -> Builder {
    aws_sdk_s3::Config::builder().retry_config(RetryConfig::disabled())
}

fn explicit(credentials: &S3Credentials) -> Credentials {
    let S3Credentials {
        access_key_id,
        secret_access_key,
        session_token,
    } = credentials.clone();
    Credentials::new(
        access_key_id,
        secret_access_key,
        session_token,
        None,
        "moka",
    )
}
