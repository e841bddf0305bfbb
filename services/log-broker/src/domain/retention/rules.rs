//! The policy: how many days what is kept for whom.

use std::{fmt, str::FromStr};

use super::LogKind;

const MAX_DAYS: u32 = 36_500;

/// Days by kind: containers, raw events, event logs; `None` for ever.
type Days = [Option<u32>; 3];

/// Whom a rule is for. A project's rule comes before a cluster's, and that before the default.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Default,
    Cluster(String),
    Project(String),
}

/// A rule such as `default=30/7/365`, `cluster:eu-1=14/7/365` or `project:etl=90/7/-`: so many days
/// for containers' logs, raw event records and assembled event logs; `-` keeps them for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    scope: Scope,
    days: Days,
}

/// The text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a retention rule is `default=`, `cluster:<name>=` or `project:<name>=`, and the days to keep containers' \
     logs, raw event records and event logs, such as `30/7/365`: 1 to {MAX_DAYS}, or `-` for ever"
)]
pub struct ParseRetentionRuleError;

impl FromStr for RetentionRule {
    type Err = ParseRetentionRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scope, days) = text.split_once('=').ok_or(ParseRetentionRuleError)?;
        let scope = match scope.split_once(':') {
            None if scope == "default" => Scope::Default,
            Some(("cluster", name)) if !name.is_empty() => Scope::Cluster(name.to_owned()),
            Some(("project", name)) if !name.is_empty() => Scope::Project(name.to_owned()),
            _ => return Err(ParseRetentionRuleError),
        };
        let days: Vec<_> = days.split('/').map(parse_days).collect::<Result<_, _>>()?;
        let days = Days::try_from(days).map_err(|_other_count| ParseRetentionRuleError)?;
        Ok(Self { scope, days })
    }
}

fn parse_days(text: &str) -> Result<Option<u32>, ParseRetentionRuleError> {
    if text == "-" {
        return Ok(None);
    }
    match text.parse() {
        Ok(days @ 1..=MAX_DAYS) => Ok(Some(days)),
        _ => Err(ParseRetentionRuleError),
    }
}

impl fmt::Display for RetentionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Default => f.write_str("default=")?,
            Scope::Cluster(name) => write!(f, "cluster:{name}=")?,
            Scope::Project(name) => write!(f, "project:{name}=")?,
        }
        for (index, days) in self.days.iter().enumerate() {
            let separator = if index == 0 { "" } else { "/" };
            match days {
                Some(days) => write!(f, "{separator}{days}")?,
                None => write!(f, "{separator}-")?,
            }
        }
        Ok(())
    }
}

/// How long something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Days after the end.
    pub days: u32,
    /// The rule that says so.
    pub policy: String,
}

/// All rules. Without any, everything is kept for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionRules(Vec<RetentionRule>);

impl RetentionRules {
    /// Takes the rules; the first one of a scope counts.
    pub fn new(rules: Vec<RetentionRule>) -> Self {
        Self(rules)
    }

    /// How long a kind of logs of an application is kept; `None` for ever. Of several clusters the
    /// one that keeps longest decides.
    pub fn keep<'a>(
        &self,
        kind: LogKind,
        project: &str,
        clusters: impl IntoIterator<Item = &'a str>,
    ) -> Option<Keep> {
        let rule_of = |scope: Scope| self.0.iter().find(|rule| rule.scope == scope);
        if let Some(rule) = rule_of(Scope::Project(project.to_owned())) {
            return rule.keep(kind);
        }
        let default = rule_of(Scope::Default);
        let rules = clusters.into_iter().map(|cluster| {
            let rule = rule_of(Scope::Cluster(cluster.to_owned())).or(default);
            rule.and_then(|rule| rule.keep(kind))
        });
        rules
            .reduce(|one, other| match (one, other) {
                (Some(one), Some(other)) if one.days < other.days => Some(other),
                (Some(one), Some(_)) => Some(one),
                _ => None,
            })
            .flatten()
    }
}

impl RetentionRule {
    fn keep(&self, kind: LogKind) -> Option<Keep> {
        Some(Keep {
            days: self.days[kind as usize]?,
            policy: self.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> RetentionRules {
        RetentionRules::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn rules_are_read_and_written_alike_and_others_refused() {
        for text in [
            "default=30/7/365",
            "cluster:eu-1=1/-/36500",
            "project:etl=-/-/-",
        ] {
            assert_eq!(text.parse::<RetentionRule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "default",
            "default=",
            "default=1/2",
            "default=1/2/3/4",
            "default=0/1/1",
            "default=36501/1/1",
            "default=-1/1/1",
            "cluster:=1/1/1",
            "team:a=1/1/1",
            "a=1/1/1",
        ] {
            assert_eq!(
                text.parse::<RetentionRule>(),
                Err(ParseRetentionRuleError),
                "{text}"
            );
        }
    }

    #[test]
    fn project_comes_before_cluster_and_cluster_before_default() {
        let rules = rules(&["default=30/7/365", "cluster:eu=60/-/1", "project:etl=1/2/3"]);
        let days = |kind, project, clusters: &[&str]| {
            let keep = rules.keep(kind, project, clusters.iter().copied());
            keep.map(|keep| keep.days)
        };
        assert_eq!(days(LogKind::Containers, "etl", &["eu"]), Some(1));
        assert_eq!(days(LogKind::EventLogs, "etl", &[]), Some(3));
        assert_eq!(days(LogKind::Containers, "a", &["us"]), Some(30));
        assert_eq!(days(LogKind::Containers, "a", &["us", "eu"]), Some(60));
        assert_eq!(days(LogKind::RawEvents, "a", &["us", "eu"]), None);
        assert_eq!(days(LogKind::EventLogs, "a", &["eu", "us"]), Some(365));
        assert_eq!(
            RetentionRules::default().keep(LogKind::Containers, "a", ["us"]),
            None
        );
    }
}
