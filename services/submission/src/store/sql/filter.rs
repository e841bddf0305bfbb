//! Conditions on applications, as SQL. Values are parameters, always.

use moka_db::DatabaseKind;
use sqlx::{Any, any::AnyArguments, query::Query};

use crate::domain::filter::{Filter, TextField, TextTest, TimeComparison, TimeField, TimeTest};

/// The parameters of a statement that is being put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<Parameter>);

#[derive(Debug, Clone)]
enum Parameter {
    Text(String),
    BigInt(i64),
}

impl Parameters {
    /// Adds a text and returns its placeholder.
    pub(super) fn text(&mut self, text: impl Into<String>) -> String {
        self.add(Parameter::Text(text.into()))
    }

    /// Adds a number and returns its placeholder.
    pub(super) fn big_int(&mut self, number: i64) -> String {
        self.add(Parameter::BigInt(number))
    }

    fn add(&mut self, parameter: Parameter) -> String {
        self.0.push(parameter);
        format!("${}", self.0.len())
    }

    /// Gives a statement all parameters.
    pub(super) fn bind<'q>(
        &self,
        mut query: Query<'q, Any, AnyArguments>,
    ) -> Query<'q, Any, AnyArguments> {
        for parameter in &self.0 {
            query = match parameter {
                Parameter::Text(text) => query.bind(text.clone()),
                Parameter::BigInt(number) => query.bind(*number),
            };
        }
        query
    }
}

/// A filter as a condition on rows of `applications` that is true or false, and never unknown.
pub(super) fn condition(
    kind: DatabaseKind,
    filter: &Filter,
    parameters: &mut Parameters,
) -> String {
    let mut each = |filters: &[Filter], word: &str| {
        let conditions: Vec<_> = filters
            .iter()
            .map(|filter| condition(kind, filter, parameters))
            .collect();
        format!("({})", conditions.join(word))
    };
    match filter {
        Filter::All(all) => each(all, " AND "),
        Filter::Any(any) => each(any, " OR "),
        Filter::Not(filter) => format!("NOT {}", condition(kind, filter, parameters)),
        Filter::Text(TextField::Tag(name), test) => tag(kind, name, test, parameters),
        Filter::Text(field, test) => {
            let column = column(field);
            match test {
                TextTest::Is(value) => format!("({column} = {})", parameters.text(value)),
                TextTest::IsNot(value) => format!("({column} <> {})", parameters.text(value)),
                TextTest::IsSet => format!("({column} <> '')"),
            }
        }
        Filter::Time(field, test) => time(*field, *test, parameters),
    }
}

fn tag(kind: DatabaseKind, name: &str, test: &TextTest, parameters: &mut Parameters) -> String {
    let name = parameters.text(name);
    let value = match kind {
        DatabaseKind::Sqlite => {
            format!("COALESCE((SELECT value FROM json_each(tags) WHERE key = {name}), '')")
        }
        DatabaseKind::Postgres => format!("COALESCE(CAST(tags AS JSON) ->> {name}, '')"),
    };
    match test {
        TextTest::Is(wanted) => format!("({value} = {})", parameters.text(wanted)),
        TextTest::IsNot(unwanted) => format!("({value} <> {})", parameters.text(unwanted)),
        TextTest::IsSet => format!("({value} <> '')"),
    }
}

fn time(field: TimeField, test: TimeTest, parameters: &mut Parameters) -> String {
    let column = field.as_str();
    let (comparison, other) = match test {
        TimeTest::IsSet => return format!("({column} IS NOT NULL)"),
        TimeTest::Compares(comparison, other) => (comparison, other.as_microsecond()),
    };
    let other = parameters.big_int(other);
    match comparison {
        TimeComparison::IsNot => format!("COALESCE({column} <> {other}, TRUE)"),
        _ => format!("COALESCE({column} {} {other}, FALSE)", comparison.as_str()),
    }
}

/// The column that keeps a text.
fn column(field: &TextField) -> &'static str {
    match field {
        TextField::ApplicationId => "application_id",
        TextField::Project => "project",
        TextField::State => "state",
        TextField::Owner => "owner",
        TextField::Workflow => "workflow",
        TextField::Run => "run",
        TextField::Queue => "queue",
        TextField::Cluster => "cluster",
        TextField::Tier => "tier",
        TextField::DisplayName => "display_name",
        TextField::Tag(_) => "tags",
    }
}
