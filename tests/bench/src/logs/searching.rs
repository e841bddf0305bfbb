//! Searching a large log for a literal that is in its last lines only.

use std::{io::Write as _, process::Stdio};

use anyhow::{Result, ensure};
use moka_proto::logs::v1::{
    SearchLogRequest,
    search_log_request::{Pattern, Scope},
};
use tokio::{
    process::Command,
    time::{Duration, sleep},
};

use super::{
    archive::{Filler, plain_text},
    broker::Installation,
    shipping::megabytes,
    store::LogStore,
};
use crate::{cpu::run_and_time, figure::Figure};

const LOG_BYTES: u64 = 2_000_000_000;
const GREP_BYTES: usize = 1_000_000_000;
/// Nothing like it is there.
const LITERAL: &str = "OutOfMemoryError";
const SETTLED: Duration = Duration::from_secs(2);

/// Megabytes of the container's log a second of one core, beside GNU grep on a file in memory.
pub(super) async fn measure(store: &LogStore, installation: &Installation) -> Result<Vec<Figure>> {
    let filler = Filler::new(store.objects(), installation.attempt)?;
    let size_bytes = usize::try_from(filler.fill(LOG_BYTES).await?)?;
    sleep(SETTLED).await;
    // The first one makes the index.
    search(installation).await?;
    let before = installation.broker.cpu_seconds()?;
    search(installation).await?;
    let seconds = installation.broker.cpu_seconds()? - before;
    let name = store.figure("search_mb_per_s", "search_mb_per_s_directory");
    let figure = Figure::alone(name, megabytes(size_bytes) / seconds, "MB/s of a core");
    Ok(vec![figure.beside(grep().await?, "GNU grep -c -F")])
}

async fn search(installation: &Installation) -> Result<()> {
    let mut client = installation.client()?;
    let mut request = SearchLogRequest {
        scope: Some(Scope::Stream(installation.stream())),
        pattern: Some(Pattern::Literal(LITERAL.to_owned())),
        ..SearchLogRequest::default()
    };
    loop {
        let answer = client.search_log(request.clone()).await?.into_inner();
        ensure!(answer.hits.is_empty(), "nothing is there to be found");
        if answer.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = answer.next_page_token;
    }
}

async fn grep() -> Result<f64> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(plain_text(GREP_BYTES).as_bytes())?;
    let mut command = Command::new("grep");
    command
        .args(["-c", "-F", LITERAL])
        .arg(file.path())
        .stdout(Stdio::null());
    let (status, seconds) = run_and_time(&mut command).await?;
    // It found nothing.
    ensure!(status.code() == Some(1), "grep ended with {status}");
    Ok(megabytes(GREP_BYTES) / seconds)
}
