//! From conditions back to text.

use std::fmt;

use super::{Filter, TextField, TextTest, TimeTest};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(all) => joined(f, all, " AND ", within_all),
            Self::Any(any) => joined(f, any, " OR ", enclosed),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                enclosed(f, inner)
            }
            Self::Text(field, test) => match test {
                TextTest::Is(value) => write!(f, "{field} = {}", Quoted(value)),
                TextTest::IsNot(value) => write!(f, "{field} != {}", Quoted(value)),
                TextTest::IsSet => write!(f, "{field}:*"),
            },
            Self::Time(field, test) => match test {
                TimeTest::Compares(comparison, time) => {
                    write!(f, "{} {} \"{time}\"", field.as_str(), comparison.as_str())
                }
                TimeTest::IsSet => write!(f, "{}:*", field.as_str()),
            },
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    filters: &[Filter],
    word: &str,
    each: fn(&mut fmt::Formatter<'_>, &Filter) -> fmt::Result,
) -> fmt::Result {
    for (index, filter) in filters.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        each(f, filter)?;
    }
    Ok(())
}

/// `OR` binds closer. Parentheses that nobody needs could be deeper than a filter may be.
fn within_all(f: &mut fmt::Formatter<'_>, filter: &Filter) -> fmt::Result {
    match filter {
        Filter::Any(_) => write!(f, "{filter}"),
        _ => enclosed(f, filter),
    }
}

fn enclosed(f: &mut fmt::Formatter<'_>, filter: &Filter) -> fmt::Result {
    match filter {
        Filter::All(_) | Filter::Any(_) => write!(f, "({filter})"),
        Filter::Not(_) | Filter::Text(..) | Filter::Time(..) => write!(f, "{filter}"),
    }
}

impl fmt::Display for TextField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Tag(name) = self {
            return write!(f, "tags.{}", Quoted(name));
        }
        let known = Self::NAMED.iter().find(|(_, field)| field == self);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = self.0.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "\"{escaped}\"")
    }
}
