//! Filters of any text: nothing panics, a mistake has a place in the text, and what is understood
//! reads back from its own print, and holds or does not hold for an application.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use moka_core::ApplicationId;
use submission_domain::{
    domain::{
        application::Application,
        filter::{Filter, MOST_BYTES, parse},
        submission::Submission,
    },
    good_request,
};

/// Of words, filters are made sooner than of letters.
const WORDS: [&str; 28] = [
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    ":",
    "*",
    ".",
    "tags",
    "state",
    "owner",
    "tier",
    "queue",
    "create_time",
    "end_time",
    "application_id",
    "FAILED",
    "TIER_1",
    "a",
    "\"a b\"",
    "'\\\"'",
    "\"2026-11-01T00:00:00.123456789+01:00\"",
];

static APPLICATION: LazyLock<Application> = LazyLock::new(application);

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let text = match first % 2 {
        1 => rest
            .iter()
            .map(|&byte| WORDS[usize::from(byte) % WORDS.len()])
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::from_utf8_lossy(rest).into_owned(),
    };
    match parse(&text) {
        Ok(Some(filter)) => check(&filter),
        Ok(None) => assert!(text.trim_ascii().is_empty(), "{text:?} says something"),
        Err(error) => assert!(error.position <= text.len(), "{error} in {text:?}"),
    }
});

fn check(filter: &Filter) {
    let holds = filter.matches(&APPLICATION);
    let opposite = Filter::Not(Box::new(filter.clone()));
    assert_ne!(holds, opposite.matches(&APPLICATION), "{filter}");
    let printed = filter.to_string();
    // Quotes and spaces may make it longer than it was.
    if printed.len() <= MOST_BYTES {
        assert_eq!(
            parse(&printed).as_ref(),
            Ok(&Some(filter.clone())),
            "{printed}"
        );
    }
}

fn application() -> Application {
    let mut request = good_request();
    let spec = request.spec.get_or_insert_default();
    // What words of the filters can be equal to.
    spec.queue = "a".to_owned();
    spec.owner = "a b".to_owned();
    let submission = Submission::parse(&request).expect("the request is good");
    Application::accepted(ApplicationId::ZERO, submission, Default::default())
}
