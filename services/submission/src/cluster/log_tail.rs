//! The end of a container's log.

use std::collections::VecDeque;

use futures::{AsyncRead, AsyncReadExt as _};

/// How much of the last lines is kept: the API server can cut a log only at its beginning.
const KEPT_BYTES: usize = 64 * 1024;

/// Reads to the end and keeps the last part.
pub(super) async fn read(log: impl AsyncRead) -> std::io::Result<String> {
    let mut log = std::pin::pin!(log);
    let mut kept = VecDeque::with_capacity(KEPT_BYTES);
    let mut buffer = vec![0; 8192];
    loop {
        let count = log.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        kept.extend(&buffer[..count]);
        let surplus = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..surplus);
    }
    Ok(String::from_utf8_lossy(kept.make_contiguous()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_end_of_a_long_log_is_kept() {
        let log = format!("{}the end", "x".repeat(3 * KEPT_BYTES));
        let tail = read(log.as_bytes()).await.unwrap();
        assert_eq!(tail.len(), KEPT_BYTES);
        assert!(tail.ends_with("xthe end"));
        assert_eq!(read(&b""[..]).await.unwrap(), "");
    }
}
