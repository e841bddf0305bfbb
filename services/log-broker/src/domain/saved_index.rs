//! Where the indexes of streams are saved: beside the assembler's checkpoints, below their
//! application.

use moka_core::AttemptName;

use super::stream::{Source, StreamKind, StreamName};

/// The prefix of the saved indexes of an attempt's streams of a kind.
pub fn prefix(attempt: AttemptName, kind: StreamKind) -> String {
    let id = attempt.application_id.to_string();
    let shard = &id[id.len() - 2..];
    let kind = match kind {
        StreamKind::Container => "containers",
        StreamKind::EventLog => "events",
    };
    format!("assembly/{shard}/{id}/indexes/{}/{kind}/", attempt.number)
}

/// Where the index of a stream is saved.
pub fn key(stream: &StreamName) -> String {
    let prefix = prefix(stream.attempt, stream.source.kind());
    match &stream.source {
        Source::Container { pod, container } => format!("{prefix}{pod}/{container}/index"),
        Source::EventLog { file } => format!("{prefix}{file}/index"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::Checkpoint;

    #[test]
    fn index_is_its_applications_and_no_checkpoint() {
        let attempt: AttemptName = "m01hf7yat00v2t9d4h5w8k3e6qz-2".parse().unwrap();
        for source in [
            Source::EventLog {
                file: "spark-1".to_owned(),
            },
            Source::Container {
                pod: "p".to_owned(),
                container: "c".to_owned(),
            },
        ] {
            let kind = source.kind();
            let key = key(&StreamName { attempt, source });
            assert!(key.starts_with(&prefix(attempt, kind)), "{key}");
            assert!(key.starts_with("assembly/qz/m01hf7yat00v2t9d4h5w8k3e6qz/"));
            assert!(!key.starts_with(&Checkpoint::prefix(attempt)), "{key}");
        }
    }
}
