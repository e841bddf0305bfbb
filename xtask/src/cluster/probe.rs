//! Is a component truly ready?

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use anyhow::{Result, bail};
use tokio::{
    net::TcpStream,
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::{cache::State, command, daemon};

const POLL: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(3);

/// A question that a ready component answers.
#[derive(Clone, Debug)]
pub(crate) enum Probe {
    /// A GET that is answered with success.
    Http(String),
    /// A connection that is accepted.
    Tcp(String),
    /// A command that ends with code zero.
    Command(PathBuf, Vec<String>),
}

impl Probe {
    /// Asks once.
    pub(crate) async fn passes(&self) -> bool {
        let asked = async {
            match self {
                Self::Http(url) => get(url).await.is_ok(),
                Self::Tcp(address) => TcpStream::connect(address).await.is_ok(),
                Self::Command(program, arguments) => {
                    command::succeeds(Command::new(program).args(arguments)).await
                }
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or(false)
    }
}

/// Waits until a component of this machine is ready; notices when its process ends before.
///
/// # Errors
/// When it ends or does not become ready in time, with the last lines of its log.
pub(crate) async fn component(
    state: &State,
    name: &str,
    probe: &Probe,
    patience: Duration,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !probe.passes().await {
        let ended = daemon::process_id(state, name).is_none();
        if ended {
            bail!("{name} ended; {}", command::tail(&state.log(name)));
        }
        if Instant::now() > deadline {
            let seconds = patience.as_secs();
            bail!(
                "{name} is not ready after {seconds} s; {}",
                command::tail(&state.log(name))
            );
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Waits for something that is no process of this machine.
///
/// # Errors
/// When the probe does not pass in time.
pub(crate) async fn wait(what: &str, probe: &Probe, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !probe.passes().await {
        if Instant::now() > deadline {
            bail!("{what} does not answer after {} s", patience.as_secs());
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// The body of a successful answer to a GET.
///
/// # Errors
/// When the request fails or the answer is not a success.
pub(crate) async fn get(url: &str) -> Result<String> {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        // Fails when a provider is set already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        reqwest::Client::new()
    });
    Ok(CLIENT
        .get(url)
        .timeout(PATIENCE)
        .send()
        .await?
        .error_for_status()?
        .text()
        .await?)
}
