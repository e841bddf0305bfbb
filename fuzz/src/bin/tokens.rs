//! Short texts that callers and operators give log-broker: a cursor is refused or reads back from
//! its own print, a key belongs to the stream whose prefix it has, and a rule of the retention says
//! what it was told.

#![no_main]

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use log_broker_domain::domain::{
    cursor::Cursor,
    keys::{KeyGrammar, KeyTemplate},
    retention::RetentionRule,
    stream::{Source, StreamName, original_path},
};
use moka_core::AttemptName;

static ATTEMPT: LazyLock<AttemptName> =
    LazyLock::new(|| "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().expect("is a name"));
static GRAMMAR: LazyLock<KeyGrammar> = LazyLock::new(|| KeyGrammar {
    containers: template("logs/{shard}/{application}/{attempt}/containers/{pod}/{container}/"),
    events: template("logs/{shard}/{application}/{attempt}/events/{file}/"),
});

/// Of words, templates and rules are made sooner than of letters.
const WORDS: [&str; 20] = [
    "{shard}",
    "{application}",
    "{attempt}",
    "{pod}",
    "{container}",
    "{file}",
    "/",
    "logs",
    "qz",
    "m01hf7yat00v2t9d4h5w8k3e6qz",
    "1",
    "containers",
    "events",
    "default",
    "cluster:",
    "project:",
    "=",
    "-",
    "30",
    "36500",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let plain = String::from_utf8_lossy(rest);
    match first % 4 {
        0 => read_token(&plain),
        1 => read_forged_token(rest),
        2 => read_text(&plain),
        _ => read_text(&words(rest)),
    }
});

fn streams() -> [StreamName; 2] {
    let attempt = *ATTEMPT;
    let container = Source::Container {
        pod: "p".to_owned(),
        container: "c".to_owned(),
    };
    let event_log = Source::EventLog {
        file: "f".to_owned(),
    };
    [container, event_log].map(|source| StreamName { attempt, source })
}

fn read_token(token: &str) {
    for stream in streams() {
        if let Ok(cursor) = Cursor::decode(token, &stream) {
            assert!(token.is_empty() || cursor.encode(&stream) == token);
            assert!(!cursor.is_up_to(Cursor::Begin), "{cursor:?}");
        }
    }
}

/// Whoever has seen a token knows how it begins, and may put anything behind that.
fn read_forged_token(rest: &[u8]) {
    for stream in streams() {
        let begin = URL_SAFE_NO_PAD
            .decode(Cursor::Begin.encode(&stream))
            .expect("is a token");
        let forged = [&begin[..begin.len() - 1], rest].concat();
        read_token(&URL_SAFE_NO_PAD.encode(forged));
    }
}

fn read_text(text: &str) {
    if let Ok(rule) = text.parse::<RetentionRule>() {
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
    if let Ok(template) = text.parse::<KeyTemplate>() {
        assert!(text.starts_with(&template.common_prefix()));
        template.event_log_of(text);
    }
    if let Some(source) = GRAMMAR.source_of(*ATTEMPT, text) {
        let attempt = *ATTEMPT;
        let prefix = GRAMMAR.stream_prefix(&StreamName { attempt, source });
        assert!(text.starts_with(&prefix), "{text} below {prefix}");
    }
    GRAMMAR.events.event_log_of(text);
    assert!(text.starts_with(original_path(text)));
}

fn words(bytes: &[u8]) -> String {
    let word = |byte: &u8| WORDS[usize::from(*byte) % WORDS.len()];
    bytes.iter().map(word).collect()
}

fn template(text: &str) -> KeyTemplate {
    text.parse().expect("is a template")
}
