//! Conditions on an application in memory: the same as what the database finds.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Filter, TextField, TextTest, TimeComparison, TimeField, TimeTest};
use crate::domain::{application::Application, spec::Tier};

impl Filter {
    /// Whether it holds for an application.
    pub fn matches(&self, application: &Application) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.matches(application)),
            Self::Any(any) => any.iter().any(|filter| filter.matches(application)),
            Self::Not(filter) => !filter.matches(application),
            Self::Text(field, test) => {
                let value = text(application, field);
                match test {
                    TextTest::Is(wanted) => value.as_deref() == Some(wanted),
                    TextTest::IsNot(unwanted) => value.as_deref() != Some(unwanted),
                    TextTest::IsSet => value.is_some(),
                }
            }
            Self::Time(field, test) => {
                let value = time(application, *field);
                match test {
                    TimeTest::Compares(TimeComparison::IsNot, other) => value != Some(*other),
                    TimeTest::Compares(comparison, other) => {
                        value.is_some_and(|value| holds(*comparison, value, *other))
                    }
                    TimeTest::IsSet => value.is_some(),
                }
            }
        }
    }
}

/// A text; `None` when it is empty.
fn text<'a>(application: &'a Application, field: &TextField) -> Option<Cow<'a, str>> {
    let submission = &application.submission;
    let spec = &submission.spec;
    let attempt = application.attempt();
    let value = match field {
        TextField::ApplicationId => application.id.to_string().into(),
        TextField::Project => submission.project.as_str().into(),
        TextField::State => application.state.as_str().into(),
        TextField::Owner => spec.owner.as_str().into(),
        TextField::Workflow => spec.workflow.as_str().into(),
        TextField::Run => spec.run.as_str().into(),
        TextField::Queue => {
            let asked_for = spec.queue.as_str();
            attempt
                .map_or(asked_for, |one| one.placement.queue.as_str())
                .into()
        }
        TextField::Cluster => attempt
            .map_or("", |one| one.placement.cluster.as_str())
            .into(),
        TextField::Tier => spec.tier.map_or("", Tier::as_str).into(),
        TextField::DisplayName => submission.display_name.as_str().into(),
        TextField::Tag(name) => spec.tags.get(name).map_or("", String::as_str).into(),
    };
    Some(value).filter(|value: &Cow<'_, str>| !value.is_empty())
}

fn time(application: &Application, field: TimeField) -> Option<Timestamp> {
    match field {
        TimeField::CreateTime => Some(application.create_time),
        TimeField::UpdateTime => Some(application.update_time),
        TimeField::EndTime => application.end_time,
    }
}

fn holds(comparison: TimeComparison, value: Timestamp, other: Timestamp) -> bool {
    match comparison {
        TimeComparison::Is => value == other,
        TimeComparison::IsNot => value != other,
        TimeComparison::Before => value < other,
        TimeComparison::BeforeOrAt => value <= other,
        TimeComparison::After => value > other,
        TimeComparison::AfterOrAt => value >= other,
    }
}
