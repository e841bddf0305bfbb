//! Clients with deadlines.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{timeout::TimeoutLayer, util::MapResultLayer};

use crate::{Error, error::chain, throttling};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the head of an answer. A watch's head comes at once, its events after.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest silence in a body. The server ends watches before that, and sends bookmarks every
/// minute.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// Connects as a kubeconfig says, in its present context or the one named; without a kubeconfig as
/// the pod's service account. Nothing is sent yet. Throttling (429) and unavailability reach the
/// caller: the client does not hide them behind tries of its own.
///
/// # Errors
/// [`Error::Config`] when the kubeconfig cannot be read, has no such context, or there is no
/// service account.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, Error> {
    let config = match kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| config_error(&error))?;
            let options = KubeConfigOptions {
                context: context.map(str::to_owned),
                ..Default::default()
            };
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| config_error(&error))?
        }
        None => Config::incluster().map_err(|error| config_error(&error))?,
    };
    from_config(config)
}

/// Connects as an explicit configuration says, with the deadlines of [`connect`].
///
/// # Errors
/// [`Error::Config`] when its certificates cannot be used.
pub fn from_config(mut config: Config) -> Result<Client, Error> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder
        .with_layer(&MapResultLayer::new(throttling::tell))
        .with_layer(&TimeoutLayer::new(RESPONSE_TIMEOUT))
        .build())
}

fn config_error(error: &dyn std::error::Error) -> Error {
    Error::Config(chain(error))
}
