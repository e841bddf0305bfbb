//! Explanations.

use moka_core::ApplicationId;
use moka_proto::submission::v1 as wire;
use moka_rpc::timestamp::to_proto;

use crate::domain::{
    explain::{Explanation, Finding, Source},
    state::ApplicationState,
};

pub(in crate::api) fn explanation(
    id: ApplicationId,
    state: ApplicationState,
    explanation: Explanation,
) -> wire::Explanation {
    wire::Explanation {
        application_id: id.to_string(),
        state: super::wire_state(state).into(),
        summary: explanation.summary,
        findings: explanation.findings.into_iter().map(finding).collect(),
        unanswered: explanation.unanswered,
    }
}

fn finding(finding: Finding) -> wire::Finding {
    let source = match finding.source {
        Source::Submission => wire::FindingSource::Submission,
        Source::Scheduler => wire::FindingSource::Scheduler,
        Source::Pod => wire::FindingSource::Pod,
        Source::Event => wire::FindingSource::Event,
        Source::Operator => wire::FindingSource::Operator,
    };
    wire::Finding {
        source: source.into(),
        reason: finding.reason,
        message: finding.message,
        time: finding.time.map(to_proto),
        decisive: finding.decisive,
    }
}
