//! Accepting, one by one and in bulk.

use std::time::Duration;

use anyhow::{Result, ensure};
use moka_proto::submission::v1::{SubmitApplicationsRequest, submit_outcome::Outcome};
use moka_xtask::postgres::TemporaryPostgres;

use super::{
    floor::Floor,
    installation::{Installation, request},
    load,
};
use crate::figure::Figure;

const CALLERS: usize = 64;
/// Connections that the callers share, as they do behind a proxy on their own host.
const CONNECTIONS: usize = 8;
const WARM_UP: Duration = Duration::from_secs(3);
const DURATION: Duration = Duration::from_secs(12);
const BULK_CALLERS: usize = 4;
const BULK_SIZE: usize = 500;
const PEER: &str = "pgbench committing the same rows with 64 connections";

pub(crate) async fn measure(
    postgres: &TemporaryPostgres,
    installation: &Installation,
) -> Result<Vec<Figure>> {
    let document = postgres
        .psql("postgres", "SELECT submission FROM applications LIMIT 1")
        .await?;
    let floor = Floor::prepare(postgres, document).await?;
    let seconds = DURATION.as_secs();
    let before = floor.rate(postgres, CALLERS, seconds).await?;
    postgres.psql("postgres", "CHECKPOINT").await?;
    let one_by_one = one_by_one(installation).await?;
    postgres.psql("postgres", "CHECKPOINT").await?;
    let bulk_rate = bulk(installation).await?;
    postgres.psql("postgres", "CHECKPOINT").await?;
    let after = floor.rate(postgres, CALLERS, seconds).await?;
    let floor = before.midpoint(after);
    Ok(vec![
        Figure::alone("accept_rate", one_by_one.rate(), "1/s").beside(floor, PEER),
        Figure::alone("accept_p99_ms", one_by_one.p99_ms(), "ms"),
        Figure::alone("bulk_accept_rate", bulk_rate, "1/s").beside(floor, PEER),
    ])
}

/// The same one by one while all of history is there.
pub(crate) async fn with_history(installation: &Installation) -> Result<Vec<Figure>> {
    let accepted = one_by_one(installation).await?;
    Ok(vec![
        Figure::alone("accept_rate_with_history", accepted.rate(), "1/s"),
        Figure::alone("accept_with_history_p99_ms", accepted.p99_ms(), "ms"),
    ])
}

async fn one_by_one(installation: &Installation) -> Result<load::Load> {
    let clients = (0..CONNECTIONS)
        .map(|_| installation.client())
        .collect::<Result<Vec<_>>>()?;
    load::run(CALLERS, WARM_UP, DURATION, |caller| {
        let client = clients[caller % CONNECTIONS].clone();
        move |count| {
            let mut client = client.clone();
            async move {
                let request = request(&format!("key-{caller}-{count}"));
                let answer = client.submit_application(request).await?;
                ensure!(answer.into_inner().created, "it existed already");
                Ok(())
            }
        }
    })
    .await
}

/// Applications per second.
async fn bulk(installation: &Installation) -> Result<f64> {
    let clients = (0..BULK_CALLERS)
        .map(|_| installation.client())
        .collect::<Result<Vec<_>>>()?;
    let load = load::run(BULK_CALLERS, WARM_UP, DURATION, |caller| {
        let client = clients[caller].clone();
        move |count| {
            let mut client = client.clone();
            async move {
                let key = |item| format!("bulk-{caller}-{count}-{item}");
                let requests = (0..BULK_SIZE).map(|item| request(&key(item))).collect();
                let answer = client
                    .submit_applications(SubmitApplicationsRequest { requests })
                    .await?;
                let accepted = answer.into_inner().outcomes.into_iter();
                let accepted = accepted
                    .filter(|one| matches!(one.outcome, Some(Outcome::Accepted(_))))
                    .count();
                ensure!(accepted == BULK_SIZE, "only {accepted} were accepted");
                Ok(())
            }
        }
    })
    .await?;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let size = BULK_SIZE as f64;
    Ok(load.rate() * size)
}
