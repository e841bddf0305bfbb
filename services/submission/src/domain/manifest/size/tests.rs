use proptest::prelude::*;

use super::*;
use crate::domain::{
    resolve::{Rules, resolve},
    spec::any::any_spec,
    submission::tests::request,
};

fn parsed(spec: moka_proto::submission::v1::ApplicationSpec) -> Submission {
    let mut request = request();
    request.spec = Some(spec);
    Submission::parse(&request).unwrap()
}

proptest! {
    #[test]
    fn no_document_is_larger_than_its_bound(spec in any_spec()) {
        let submission = parsed(spec);
        if let Ok(launch) = resolve(&submission.spec, Rules::default()) {
            let (bound, bytes) = (bound(&submission, &launch), bytes(&submission, &launch));
            prop_assert!(bytes <= bound, "{bytes} of at most {bound}");
        }
    }
}

/// A control character takes six bytes of JSON, so that requests within every single limit can be
/// too large as a whole.
#[test]
fn documents_are_limited_to_the_byte() {
    let submission_with = |escaped: usize, plain: usize| {
        let mut request = request();
        let spec = request.spec.as_mut().unwrap();
        spec.arguments = vec!["\u{1}".repeat(escaped), "x".repeat(plain)];
        let large = "\u{1}".repeat(100_000);
        spec.spark_conf = [("spark.x".to_owned(), large)].into();
        Submission::parse(&request).unwrap()
    };
    let checked = |plain: usize| {
        let submission = submission_with(60_000, plain);
        let launch = resolve(&submission.spec, Rules::default()).unwrap();
        (
            bytes(&submission, &launch),
            check_size(&submission, &launch).err(),
        )
    };
    let most = MOST_BYTES - ALLOWANCE_BYTES;
    let fitting = most - checked(0).0;
    assert_eq!(checked(fitting), (most, None));
    let (bytes_past, error) = checked(fitting + 1);
    assert_eq!(bytes_past, most + 1);
    let error = error.unwrap();
    assert_eq!(error.reason, ErrorReason::InvalidField);
    assert_eq!(error.violations[0].field, "spec");
}
