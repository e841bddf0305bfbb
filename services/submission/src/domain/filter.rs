//! Conditions on applications, as lists and watches are given them: a subset of
//! [AIP-160](https://google.aip.dev/160).

mod lexer;
mod matches;
mod parse;
mod print;

use jiff::Timestamp;

pub use self::parse::{MOST_BYTES, MOST_COMPARISONS, MOST_DEPTH, parse};

/// A condition on an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them hold; two at least.
    All(Vec<Self>),
    /// One of them holds; two at least.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A text compares so.
    Text(TextField, TextTest),
    /// A time compares so.
    Time(TimeField, TimeTest),
}

/// A text of an application. Empty is not set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextField {
    /// Its id.
    ApplicationId,
    /// Whose it is.
    Project,
    /// Where it stands.
    State,
    /// Who is responsible.
    Owner,
    /// The workflow that it is a part of.
    Workflow,
    /// The run of the workflow.
    Run,
    /// The queue that it is in, or was asked for.
    Queue,
    /// The cluster of the current attempt.
    Cluster,
    /// How important it is, as requested.
    Tier,
    /// Its name for people.
    DisplayName,
    /// A tag by its name.
    Tag(String),
}

/// A time of an application, exact to the microsecond.
#[expect(clippy::enum_variant_names, reason = "the names of the API's fields")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeField {
    /// When it was accepted.
    CreateTime,
    /// When its state last changed.
    UpdateTime,
    /// When it ended; not set before.
    EndTime,
}

/// What a text is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    /// It is this.
    Is(String),
    /// It is not this, or not set.
    IsNot(String),
    /// It is set.
    IsSet,
}

/// What a time is compared with. One that is not set is unequal to all and neither before nor after
/// any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeTest {
    /// It compares so with this.
    Compares(TimeComparison, Timestamp),
    /// It is set.
    IsSet,
}

/// How a time compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeComparison {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `<`
    Before,
    /// `<=`
    BeforeOrAt,
    /// `>`
    After,
    /// `>=`
    AfterOrAt,
}

impl Filter {
    /// The conditions that must all hold at the least.
    pub fn conjuncts(&self) -> &[Self] {
        match self {
            Self::All(all) => all,
            other => std::slice::from_ref(other),
        }
    }
}

impl TextField {
    const NAMED: [(&'static str, Self); 10] = [
        ("application_id", Self::ApplicationId),
        ("project", Self::Project),
        ("state", Self::State),
        ("owner", Self::Owner),
        ("workflow", Self::Workflow),
        ("run", Self::Run),
        ("queue", Self::Queue),
        ("cluster", Self::Cluster),
        ("tier", Self::Tier),
        ("display_name", Self::DisplayName),
    ];
}

impl TimeField {
    const NAMED: [(&'static str, Self); 3] = [
        ("create_time", Self::CreateTime),
        ("update_time", Self::UpdateTime),
        ("end_time", Self::EndTime),
    ];

    /// The name, in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateTime => "create_time",
            Self::UpdateTime => "update_time",
            Self::EndTime => "end_time",
        }
    }
}

impl TimeComparison {
    /// The sign, in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Before => "<",
            Self::BeforeOrAt => "<=",
            Self::After => ">",
            Self::AfterOrAt => ">=",
        }
    }
}

#[cfg(test)]
mod tests;
