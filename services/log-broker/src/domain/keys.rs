//! The grammar of raw keys, which only narrows listings: what a record belongs to is in the record.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use moka_core::AttemptName;

use super::stream::{Source, StreamName};

/// Keys such as `logs/{shard}/{application}/{attempt}/containers/{pod}/{container}/`: segments that
/// are text or a variable. What follows the last segment is the object's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Variable(String),
}

/// The text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key template is segments, text or one of {{shard}}, {{application}}, {{attempt}}, {{pod}}, {{container}}, \
     {{file}}, each followed by `/`"
)]
pub struct ParseKeyTemplateError;

const VARIABLES: [&str; 6] = [
    "shard",
    "application",
    "attempt",
    "pod",
    "container",
    "file",
];

impl FromStr for KeyTemplate {
    type Err = ParseKeyTemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let body = text.strip_suffix('/').ok_or(ParseKeyTemplateError)?;
        let segments = body.split('/').map(|segment| {
            match segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            {
                Some(name) if VARIABLES.contains(&name) => Ok(Segment::Variable(name.to_owned())),
                None if !segment.is_empty() && !segment.contains(['{', '}']) => {
                    Ok(Segment::Text(segment.to_owned()))
                }
                _ => Err(ParseKeyTemplateError),
            }
        });
        Ok(Self {
            segments: segments.collect::<Result<_, _>>()?,
        })
    }
}

impl KeyTemplate {
    /// The longest prefix of all keys whose variables have these values; values that are not given
    /// end it.
    fn prefix(&self, values: &BTreeMap<&str, String>) -> String {
        let mut prefix = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => prefix.push_str(text),
                Segment::Variable(name) => match values.get(name.as_str()) {
                    Some(value) => prefix.push_str(value),
                    None => break,
                },
            }
            prefix.push('/');
        }
        prefix
    }

    /// The prefix of all keys of this form.
    pub fn common_prefix(&self) -> String {
        self.prefix(&BTreeMap::new())
    }

    /// The file that a key of an event log names, and the attempt when it names that too.
    pub fn event_log_of(&self, key: &str) -> Option<(Option<AttemptName>, String)> {
        let values = self.values(key)?;
        let attempt = values.get("application").zip(values.get("attempt"));
        let attempt = attempt.and_then(|(id, number)| format!("{id}-{number}").parse().ok());
        Some((attempt, (*values.get("file")?).to_owned()))
    }

    /// Whether keys begin with shard, application and attempt, so that the prefix of an attempt has
    /// objects of no other.
    fn tells_attempts(&self) -> bool {
        let variables = self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) => Some(name.as_str()),
            Segment::Text(_) => None,
        });
        variables.take(3).eq(["shard", "application", "attempt"])
    }

    fn values<'a>(&self, key: &'a str) -> Option<BTreeMap<&str, &'a str>> {
        let mut values = BTreeMap::new();
        let mut rest = key;
        for segment in &self.segments {
            let (found, after) = rest.split_once('/')?;
            rest = after;
            match segment {
                Segment::Text(text) if text == found => {}
                Segment::Text(_) => return None,
                Segment::Variable(name) => {
                    values.insert(name.as_str(), found);
                }
            }
        }
        (!rest.is_empty()).then_some(values)
    }
}

/// Where raw objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrammar {
    /// Keys of containers' outputs.
    pub containers: KeyTemplate,
    /// Keys of event logs.
    pub events: KeyTemplate,
}

impl KeyGrammar {
    /// The prefix of all objects of a stream.
    pub fn stream_prefix(&self, stream: &StreamName) -> String {
        let mut values = attempt_values(stream.attempt);
        match &stream.source {
            Source::Container { pod, container } => {
                values.insert("pod", pod.clone());
                values.insert("container", container.clone());
                self.containers.prefix(&values)
            }
            Source::EventLog { file } => {
                values.insert("file", file.clone());
                self.events.prefix(&values)
            }
        }
    }

    /// The prefix of all containers' outputs of an attempt.
    pub fn containers_prefix(&self, attempt: AttemptName) -> String {
        self.containers.prefix(&attempt_values(attempt))
    }

    /// The prefix of all event logs of an attempt.
    pub fn events_prefix(&self, attempt: AttemptName) -> String {
        self.events.prefix(&attempt_values(attempt))
    }

    /// Whether the prefix of an attempt has objects of no other.
    pub fn tells_attempts(&self) -> bool {
        self.containers.tells_attempts() && self.events.tells_attempts()
    }

    /// The prefixes of all objects of a shard of the applications.
    pub fn shard_prefixes(&self, shard: &str) -> BTreeSet<String> {
        let values = BTreeMap::from([("shard", shard.to_owned())]);
        [&self.containers, &self.events]
            .map(|template| template.prefix(&values))
            .into()
    }

    /// Which stream of the attempt an object belongs to; `None` for a key of another form or
    /// attempt.
    pub fn source_of(&self, attempt: AttemptName, key: &str) -> Option<Source> {
        let expected = attempt_values(attempt);
        let belongs = |values: &BTreeMap<&str, &str>| {
            expected
                .iter()
                .all(|(name, value)| values.get(name).is_none_or(|found| *found == value))
        };
        if let Some(values) = self.containers.values(key).filter(belongs) {
            let (pod, container) = (values.get("pod")?, values.get("container")?);
            return Some(Source::Container {
                pod: (*pod).to_owned(),
                container: (*container).to_owned(),
            });
        }
        let values = self.events.values(key).filter(belongs)?;
        Some(Source::EventLog {
            file: (*values.get("file")?).to_owned(),
        })
    }
}

fn attempt_values(attempt: AttemptName) -> BTreeMap<&'static str, String> {
    let application = attempt.application_id.to_string();
    BTreeMap::from([
        // An id is ASCII, so its last two bytes are its last two characters.
        ("shard", application[application.len() - 2..].to_owned()),
        ("application", application),
        ("attempt", attempt.number.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar() -> KeyGrammar {
        KeyGrammar {
            containers: "logs/{shard}/{application}/{attempt}/containers/{pod}/{container}/"
                .parse()
                .unwrap(),
            events: "logs/{shard}/{application}/{attempt}/events/{file}/"
                .parse()
                .unwrap(),
        }
    }

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    #[test]
    fn streams_have_their_prefix_and_keys_their_stream() {
        let attempt: AttemptName = format!("{ID}-2").parse().unwrap();
        let source = Source::EventLog {
            file: "spark-1".to_owned(),
        };
        let prefix = grammar().stream_prefix(&StreamName {
            attempt,
            source: source.clone(),
        });
        assert_eq!(prefix, format!("logs/qz/{ID}/2/events/spark-1/"));
        assert_eq!(
            grammar().source_of(attempt, &format!("{prefix}20261121T030000-local-1.jsonl")),
            Some(source)
        );
        assert_eq!(
            grammar().events_prefix(attempt),
            format!("logs/qz/{ID}/2/events/")
        );
        assert_eq!(grammar().source_of(attempt, &prefix), None);
        let key = format!("logs/qz/{ID}/2/containers/{ID}-2-driver/main/x.jsonl.zst");
        let container = Source::Container {
            pod: format!("{ID}-2-driver"),
            container: "main".to_owned(),
        };
        assert_eq!(grammar().source_of(attempt, &key), Some(container));
        let other: AttemptName = format!("{ID}-3").parse().unwrap();
        assert_eq!(grammar().source_of(other, &key), None);
    }

    #[test]
    fn prefix_of_an_attempt_may_have_objects_of_others() {
        assert!(grammar().tells_attempts());
        let prefixes = grammar().shard_prefixes("qz");
        assert_eq!(prefixes, BTreeSet::from(["logs/qz/".to_owned()]));
        for events in [
            "events-raw/{file}/",
            "{shard}/{application}/{file}/{attempt}/",
        ] {
            let grammar = KeyGrammar {
                events: events.parse().unwrap(),
                ..grammar()
            };
            assert!(!grammar.tells_attempts(), "{events}");
        }
    }

    #[test]
    fn bad_templates_are_refused() {
        for text in [
            "",
            "logs",
            "logs//x/",
            "logs/{who}/",
            "logs/a{pod}/",
            "/logs/",
        ] {
            assert_eq!(
                text.parse::<KeyTemplate>(),
                Err(ParseKeyTemplateError),
                "{text}"
            );
        }
    }
}
