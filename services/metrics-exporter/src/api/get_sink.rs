//! `GetSink`.

use moka_proto::metrics::v1::{self, GetSinkResponse};

use super::Api;
use crate::{domain::drop_reason::DropReason, sink::SinkStatus};

impl Api {
    pub(super) fn sink(&self) -> GetSinkResponse {
        let SinkStatus {
            connected,
            buffered_lines,
            last_error,
        } = self.sink.status();
        let dropped = DropReason::ALL
            .into_iter()
            .map(|reason| {
                (
                    reason.as_str().to_owned(),
                    count(self.metrics.dropped_samples(reason)),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        let sink = v1::Sink {
            address: self.sink_address.to_string(),
            connected,
            written_lines: count(self.metrics.written_lines.get()),
            buffered_lines: i64::try_from(buffered_lines).unwrap_or(i64::MAX),
            dropped,
            last_error,
        };
        GetSinkResponse { sink: Some(sink) }
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
