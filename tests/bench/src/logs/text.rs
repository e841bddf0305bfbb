//! What is logged.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result};
use moka_xtask::workspace;

const CORPUS: &str = "tests/corpora/spark-events/logs.tar.zst";
/// The largest plain log of the corpus: a SQL application, 8.6 MB.
const LOG: &str = "logs/local-1795176741830.inprogress";

/// An event log that a real driver wrote.
pub(super) struct EventLogText(Vec<u8>);

impl EventLogText {
    /// The recorded one.
    pub(super) fn of_corpus() -> Result<Self> {
        let archive = workspace::root().join(CORPUS);
        let file =
            File::open(&archive).with_context(|| format!("opening {}", archive.display()))?;
        let mut archive = tar::Archive::new(zstd::Decoder::new(file)?);
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path()?.as_ref() == Path::new(LOG) {
                let mut text = Vec::new();
                entry.read_to_end(&mut text)?;
                return Ok(Self(text));
            }
        }
        anyhow::bail!("the corpus lacks {LOG}")
    }

    /// Whole lines, over and over: at least so many bytes.
    pub(super) fn repeated(&self, size_bytes: usize) -> Vec<u8> {
        let lines = self.0.split_inclusive(|byte| *byte == b'\n').cycle();
        let mut text = Vec::with_capacity(size_bytes);
        for line in lines {
            if text.len() >= size_bytes {
                break;
            }
            text.extend_from_slice(line);
        }
        text
    }
}
