//! Many rows as the parameters of one statement, whatever their number: the statement's text stays
//! the same, so it is prepared once.

use std::fmt::Write as _;

use moka_db::DatabaseKind;
use sqlx::{Any, any::AnyArguments, query::Query};

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    BigInt,
}

/// A column's value in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    BigInt(i64),
    Null,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::BigInt(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::BigInt(number.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows that become a table named `source` inside a statement: on PostgreSQL one array for each
/// column, on SQLite one JSON array of arrays.
#[derive(Debug)]
pub(super) struct Batch {
    kind: DatabaseKind,
    columns: &'static [(&'static str, Type)],
    parameters: Vec<String>,
    count: usize,
}

impl Batch {
    /// No rows yet.
    pub(super) fn new(kind: DatabaseKind, columns: &'static [(&'static str, Type)]) -> Self {
        let parameters = match kind {
            DatabaseKind::Sqlite => vec!["[".to_owned()],
            DatabaseKind::Postgres => vec!["{".to_owned(); columns.len()],
        };
        Self {
            kind,
            columns,
            parameters,
            count: 0,
        }
    }

    /// Adds a row: one value for each column, in their order.
    pub(super) fn push<const N: usize>(&mut self, values: [Value<'_>; N]) {
        debug_assert_eq!(N, self.columns.len(), "a row has a value for each column");
        match self.kind {
            DatabaseKind::Sqlite => self.push_json(&values),
            DatabaseKind::Postgres => self.push_arrays(&values),
        }
        self.count += 1;
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The table `source`, for a `FROM`. Its parameters begin with `$1`.
    pub(super) fn source(&self) -> String {
        let columns = self.columns.iter().enumerate();
        match self.kind {
            DatabaseKind::Sqlite => {
                let columns: Vec<_> = columns
                    .map(|(index, (name, _))| format!("value ->> {index} AS {name}"))
                    .collect();
                format!(
                    "(SELECT {} FROM json_each($1)) AS source",
                    columns.join(", ")
                )
            }
            DatabaseKind::Postgres => {
                let arrays: Vec<_> = columns
                    .map(|(index, (_, kind))| {
                        let array = match kind {
                            Type::Text => "TEXT[]",
                            Type::BigInt => "BIGINT[]",
                        };
                        format!("CAST(${} AS {array})", index + 1)
                    })
                    .collect();
                let arrays = arrays.join(", ");
                format!("unnest({arrays}) AS source ({})", self.names())
            }
        }
    }

    /// The columns' names with commas between them.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// Gives a statement its parameters.
    pub(super) fn bind(
        self,
        mut query: Query<'_, Any, AnyArguments>,
    ) -> Query<'_, Any, AnyArguments> {
        let end = match self.kind {
            DatabaseKind::Sqlite => ']',
            DatabaseKind::Postgres => '}',
        };
        for mut parameter in self.parameters {
            parameter.push(end);
            query = query.bind(parameter);
        }
        query
    }

    fn push_json(&mut self, values: &[Value<'_>]) {
        let rows = &mut self.parameters[0];
        rows.push_str(if self.count == 0 { "[" } else { ",[" });
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                rows.push(',');
            }
            match value {
                Value::Text(text) => rows.push_str(&super::rows::to_json(text)),
                Value::BigInt(number) => push_number(rows, *number),
                Value::Null => rows.push_str("null"),
            }
        }
        rows.push(']');
    }

    fn push_arrays(&mut self, values: &[Value<'_>]) {
        for (array, value) in self.parameters.iter_mut().zip(values) {
            if self.count > 0 {
                array.push(',');
            }
            match value {
                Value::Text(text) => push_quoted(array, text),
                Value::BigInt(number) => push_number(array, *number),
                Value::Null => array.push_str("NULL"),
            }
        }
    }
}

/// Texts as one parameter, for [`in_list`].
pub(super) fn list<'a>(kind: DatabaseKind, texts: impl IntoIterator<Item = &'a str>) -> String {
    match kind {
        DatabaseKind::Sqlite => super::rows::to_json(&texts.into_iter().collect::<Vec<_>>()),
        DatabaseKind::Postgres => {
            let mut batch = Batch::new(kind, &[("value", Type::Text)]);
            for text in texts {
                batch.push([text.into()]);
            }
            batch.parameters.concat() + "}"
        }
    }
}

/// The condition that `column` is in the [`list`] that is parameter `$number`.
pub(super) fn in_list(kind: DatabaseKind, column: &str, number: usize) -> String {
    match kind {
        DatabaseKind::Sqlite => {
            format!("{column} IN (SELECT value FROM json_each(${number}))")
        }
        DatabaseKind::Postgres => format!("{column} = ANY(CAST(${number} AS TEXT[]))"),
    }
}

fn push_number(text: &mut String, number: i64) {
    write!(text, "{number}").expect("a String takes everything");
}

/// An element of an array, as PostgreSQL reads it:
/// <https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO>.
fn push_quoted(array: &mut String, text: &str) {
    array.push('"');
    for part in text.split_inclusive(['"', '\\']) {
        match part.as_bytes().last() {
            Some(mark @ (b'"' | b'\\')) => {
                array.push_str(&part[..part.len() - 1]);
                array.push('\\');
                array.push(char::from(*mark));
            }
            _ => array.push_str(part),
        }
    }
    array.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_arrays_quote_what_would_end_an_element() {
        let mut array = String::new();
        push_quoted(&mut array, r#"a "b" \ {c}, ä"#);
        assert_eq!(array, r#""a \"b\" \\ {c}, ä""#);
        assert_eq!(list(DatabaseKind::Postgres, ["a", ""]), r#"{"a",""}"#);
    }

    #[test]
    fn one_statement_takes_any_number_of_rows() {
        let columns = &[("id", Type::Text), ("count", Type::BigInt)];
        let mut batch = Batch::new(DatabaseKind::Postgres, columns);
        let source = batch.source();
        batch.push(["a".into(), 1_i64.into()]);
        batch.push(["b".into(), Value::Null]);
        assert_eq!(batch.source(), source);
        assert_eq!(batch.parameters, [r#"{"a","b""#, "{1,NULL"]);
        let mut batch = Batch::new(DatabaseKind::Sqlite, columns);
        batch.push(["a\"".into(), 1_i64.into()]);
        assert_eq!(batch.parameters, [r#"[["a\"",1]"#]);
    }
}
