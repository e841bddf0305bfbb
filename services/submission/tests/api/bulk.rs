//! Many submissions in one call.

use moka_core::ErrorReason;
use moka_proto::{
    common::v1::ErrorReason as WireReason,
    submission::v1::{
        SubmitApplicationRequest, SubmitApplicationsRequest, SubmitOutcome, submit_outcome::Outcome,
    },
};
use moka_rpc::error_of;
use prost::Message as _;

use crate::harness::{Harness, fields, request, spec, start};

async fn submit_many(
    harness: &Harness,
    requests: Vec<SubmitApplicationRequest>,
) -> Result<Vec<SubmitOutcome>, moka_core::PublicError> {
    let request = SubmitApplicationsRequest { requests };
    let answer = harness.client.clone().submit_applications(request).await;
    answer
        .map(|answer| answer.into_inner().outcomes)
        .map_err(|status| error_of(&status))
}

fn reason(outcome: &SubmitOutcome) -> Option<WireReason> {
    match outcome.outcome.as_ref()? {
        Outcome::Accepted(_) => None,
        Outcome::Refused(refusal) => Some(refusal.reason()),
    }
}

fn accepted(outcome: &SubmitOutcome) -> (String, bool) {
    match outcome.outcome.as_ref().unwrap() {
        Outcome::Accepted(accepted) => {
            let application = accepted.application.as_ref().unwrap();
            (application.application_id.clone(), accepted.created)
        }
        Outcome::Refused(refusal) => panic!("{refusal:?}"),
    }
}

#[tokio::test]
async fn each_request_has_an_outcome_of_its_own() {
    let harness = start().await;
    let mut invalid = request("invalid");
    spec(&mut invalid).image.clear();
    let mut lost = request("lost");
    spec(&mut lost).queue = "root.nowhere".to_owned();
    let mut other = request("a");
    other.display_name = "another name".to_owned();
    let mut second_try = request("a");
    second_try.try_number = 1;
    let requests = vec![
        request("a"),
        invalid,
        request("b"),
        lost,
        request("a"),
        other,
        second_try,
    ];
    let outcomes = submit_many(&harness, requests).await.unwrap();
    let reasons: Vec<_> = outcomes.iter().map(reason).collect();
    assert_eq!(
        reasons,
        [
            None,
            Some(WireReason::InvalidField),
            None,
            Some(WireReason::UnknownQueue),
            None,
            Some(WireReason::IdempotencyConflict),
            Some(WireReason::PredecessorLive),
        ]
    );
    let Some(Outcome::Refused(refusal)) = &outcomes[1].outcome else {
        panic!("{:?}", outcomes[1]);
    };
    assert_eq!(refusal.violations[0].field, "spec.image");
    let (first, created) = accepted(&outcomes[0]);
    assert!(created);
    assert_eq!(accepted(&outcomes[4]), (first, false));
    assert_eq!(harness.count().await, 2);
}

#[tokio::test]
async fn a_repeated_call_gets_the_same_applications() {
    let harness = start().await;
    let requests: Vec<_> = (0..20).map(|n| request(&format!("key-{n}"))).collect();
    let first = submit_many(&harness, requests.clone()).await.unwrap();
    harness.queues.send_replace(None);
    let second = submit_many(&harness, requests).await.unwrap();
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((accepted(first).0, false), accepted(second));
    }
    assert_eq!(harness.count().await, 20);
}

#[tokio::test]
async fn one_call_has_1_to_500_requests() {
    let harness = start().await;
    for count in [0, 501] {
        let requests = (0..count).map(|n| request(&format!("key-{n}"))).collect();
        let error = submit_many(&harness, requests).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidField);
        assert_eq!(fields(&error), ["requests"]);
    }
    assert_eq!(harness.count().await, 0);
    let requests = (0..500).map(|n| request(&format!("key-{n}"))).collect();
    let outcomes = submit_many(&harness, requests).await.unwrap();
    assert_eq!(outcomes.len(), 500);
    assert!(outcomes.iter().all(|outcome| accepted(outcome).1));
}

#[tokio::test]
async fn one_request_has_4_mib_at_most_and_one_call_16() {
    const MIB: usize = 1024 * 1024;
    let harness = start().await;
    let of_size = |size: usize| {
        let mut request = request("large");
        spec(&mut request).arguments = vec![String::new()];
        // Four lengths grow to four bytes each, in place of one.
        let rest = size - request.encoded_len();
        spec(&mut request).arguments[0] = "x".repeat(rest - 16);
        let missing = size - request.encoded_len();
        spec(&mut request).arguments[0].push_str(&"x".repeat(missing));
        assert_eq!(request.encoded_len(), size);
        request
    };
    let error = harness.submit(of_size(4 * MIB)).await.unwrap_err();
    assert_eq!(fields(&error)[0], "spec.arguments");
    let error = harness.submit(of_size(4 * MIB + 1)).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidField);
    assert_eq!(fields(&error), ["spec"]);
    let requests = vec![of_size(4 * MIB - 16); 4];
    let outcomes = submit_many(&harness, requests).await.unwrap();
    assert_eq!(outcomes.len(), 4);
    let requests = vec![of_size(4 * MIB); 4];
    submit_many(&harness, requests).await.unwrap_err();
    assert_eq!(harness.count().await, 0);
}
