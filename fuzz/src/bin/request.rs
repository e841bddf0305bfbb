//! Requests of any bytes: nothing panics, what is refused says why, and what is accepted resolves
//! or says what is missing, into one document of a bounded size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moka_core::{ApplicationId, AttemptName, ErrorReason, PublicError};
use moka_proto::submission::v1::SubmitApplicationRequest;
use prost::Message;
use submission_domain::{
    domain::{
        application::Placement,
        manifest::{Launch, MOST_BYTES, ManifestSettings, check_size, document},
        resolve::{Rules, resolve},
        submission::Submission,
    },
    good_request,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    // Bytes over a good request get further than bytes alone.
    let mut request = match first % 2 {
        1 => good_request(),
        _ => SubmitApplicationRequest::default(),
    };
    if request.merge(rest).is_ok() {
        check(&request);
    }
});

fn check(request: &SubmitApplicationRequest) {
    let submission = match Submission::parse(request) {
        Ok(submission) => submission,
        Err(error) => return says_why(&error),
    };
    let spec = match resolve(&submission.spec, Rules::default()) {
        Ok(spec) => spec,
        Err(error) => return says_why(&error.into()),
    };
    if let Err(error) = check_size(&submission, &spec) {
        return says_why(&error);
    }
    let launch = Launch {
        name: AttemptName::new(ApplicationId::ZERO, 1),
        submission: &submission,
        placement: &Placement::default(),
        spec: &spec,
    };
    let settings = ManifestSettings {
        service_account: "spark".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        event_log_host_path: "/var/lib/moka/events".to_owned(),
        exporter: None,
    };
    let written = document(&launch, &settings).to_string();
    assert!(written.len() <= MOST_BYTES, "{} bytes", written.len());
    assert_eq!(written, document(&launch, &settings).to_string());
}

fn says_why(error: &PublicError) {
    assert_eq!(error.reason, ErrorReason::InvalidField);
    assert!(!error.violations.is_empty());
}
