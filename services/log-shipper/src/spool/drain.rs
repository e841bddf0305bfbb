//! Empties the spool into the store.

use std::{io, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Spool, files};
use crate::{
    domain::{Batch, BatchHeader, DamagedBatch, backoff},
    error::ShipError,
    metrics::LossReason,
    shared::Shared,
};

/// Sends batches, the oldest first, until the process stops. One that the store refuses does not
/// hold up those behind it; it comes again with the next pass.
pub async fn drain(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    tokio::select! {
        () = passes(&shared) => {}
        () = stop.cancelled() => {}
    }
}

async fn passes(shared: &Shared) {
    let mut last = 0;
    let mut failure_count = 0_u32;
    loop {
        let Some(number) = shared.spool.next_after(last) else {
            match shared.spool.next_after(0) {
                None => shared.spool.shared.arrived.notified().await,
                Some(_) => sleep(pause(shared, failure_count)).await,
            }
            last = 0;
            continue;
        };
        last = number;
        match send(shared, number).await {
            Ok(()) => failure_count = 0,
            Err(error) => {
                failure_count = failure_count.saturating_add(1);
                let is_refusal = matches!(&error, ShipError::Store(error) if !error.is_retryable());
                if !is_refusal {
                    sleep(pause(shared, failure_count)).await;
                }
            }
        }
    }
}

fn pause(shared: &Shared, failure_count: u32) -> Duration {
    backoff(failure_count.max(1), shared.uploader.random())
}

async fn send(shared: &Shared, number: u64) -> Result<(), ShipError> {
    let Shared {
        spool,
        uploader,
        metrics,
        ..
    } = shared;
    let _permit = uploader.permit().await;
    let file = match spool.read(number).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::error!(
                number,
                "a batch was taken out of the spool by somebody else"
            );
            spool.remove(number);
            return Ok(());
        }
        file => file.map_err(ShipError::Spool)?,
    };
    match parse(file).await? {
        Ok(batch) => {
            uploader.put(&batch).await?;
            metrics.acknowledged(&batch);
            spool.remove(number);
        }
        Err(damaged) => mark_damaged(shared, number, damaged).await?,
    }
    Ok(())
}

async fn parse(file: bytes::Bytes) -> Result<Result<Batch, DamagedBatch>, ShipError> {
    tokio::task::spawn_blocking(move || Batch::parse(&file))
        .await
        .map_err(|panic| ShipError::Spool(io::Error::other(panic)))
}

/// The lines may have been read by then, so that readers are told of a loss only if they miss them.
async fn mark_damaged(
    shared: &Shared,
    number: u64,
    damaged: DamagedBatch,
) -> Result<(), ShipError> {
    let (path, lost_bytes) = match &damaged {
        DamagedBatch::Header => ("", 0),
        DamagedBatch::Object(header, _) => {
            let BatchHeader {
                origin,
                length_bytes,
                ..
            } = &**header;
            let mark = shared.uploader.encode_loss(origin.clone(), *length_bytes);
            shared
                .uploader
                .put(&mark.map_err(ShipError::Spool)?)
                .await?;
            (origin.path.as_str(), *length_bytes)
        }
    };
    tracing::error!(
        number,
        stream.path = path,
        lost_bytes,
        problem = %damaged,
        "a batch of the spool is damaged and was put aside"
    );
    shared.metrics.lost(LossReason::DamagedSpool, lost_bytes);
    shared
        .spool
        .forget_damaged(number)
        .map_err(ShipError::Spool)
}

impl Spool {
    fn forget_damaged(&self, number: u64) -> io::Result<()> {
        files::put_aside(&self.path(number))?;
        // There is no file of it any more.
        self.remove(number);
        Ok(())
    }
}
