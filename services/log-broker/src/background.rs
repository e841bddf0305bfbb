//! Readings that go on whether or not somebody asks for them just now.

use tokio::task::JoinHandle;

use crate::error::Error;

/// Work that others wait for goes on also while its caller is busy with something else, as a stream
/// of readings is when nobody asks it for the next: a turn or a permit that it got would hold up
/// everybody, at last the caller.
pub(crate) async fn in_background<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    spawn(work).await.map_err(|_stopped| Error::Stopped)?
}

/// Begins work whose outcome need not be waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "it changes nothing outside, so that it may end with the process"
)]
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(work)
}
