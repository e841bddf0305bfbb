//! From text to conditions, by recursive descent.

use jiff::Timestamp;
use moka_core::{ApplicationId, ErrorReason, PublicError};

use super::{
    Filter, TextField, TextTest, TimeComparison, TimeField, TimeTest,
    lexer::{Placed, Token, tokens},
};
use crate::domain::{spec::Tier, state::ApplicationState};

/// Longest filter.
pub const MOST_BYTES: usize = 2048;
/// Most comparisons in one filter.
pub const MOST_COMPARISONS: usize = 32;
/// Most parentheses and NOTs around a comparison.
pub const MOST_DEPTH: usize = 16;

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {problem}")]
pub struct Error {
    /// Where, in bytes from the beginning.
    pub position: usize,
    /// What.
    pub problem: String,
}

impl Error {
    pub(super) fn at(position: usize, problem: impl Into<String>) -> Self {
        Self {
            position,
            problem: problem.into(),
        }
    }
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        let problem = error.to_string();
        let message = format!("the filter is wrong {problem}");
        Self::new(ErrorReason::InvalidFilter, message).with_field("filter", problem)
    }
}

/// Reads a filter; `None` when it says nothing.
///
/// `OR` binds closer than `AND`, as AIP-160 has it.
///
/// # Errors
///
/// [`Error`] with the place and what was expected there.
pub fn parse(text: &str) -> Result<Option<Filter>, Error> {
    if text.len() > MOST_BYTES {
        let problem = format!("the filter must have at most {MOST_BYTES} bytes");
        return Err(Error::at(MOST_BYTES, problem));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        end: text.len(),
        comparisons: 0,
        depth: 0,
    };
    if parser.tokens.is_empty() {
        return Ok(None);
    }
    let filter = parser.all()?;
    match parser.peek() {
        None => Ok(Some(filter)),
        Some(_) => Err(parser.expected("AND, OR or the end")),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    end: usize,
    comparisons: usize,
    depth: usize,
}

impl Parser {
    fn all(&mut self) -> Result<Filter, Error> {
        let mut all = vec![self.any()?];
        while self.take_word("AND") {
            all.push(self.any()?);
        }
        Ok(one_or(all, Filter::All))
    }

    fn any(&mut self) -> Result<Filter, Error> {
        let mut any = vec![self.term()?];
        while self.take_word("OR") {
            any.push(self.term()?);
        }
        Ok(one_or(any, Filter::Any))
    }

    fn term(&mut self) -> Result<Filter, Error> {
        let position = self.position();
        let (negated, enclosed) = (
            self.take_word("NOT"),
            self.peek() == Some(&Token::Sign("(")),
        );
        if !negated && !enclosed {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            let problem = format!("parentheses and NOT must be at most {MOST_DEPTH} deep");
            return Err(Error::at(position, problem));
        }
        let filter = if negated {
            Filter::Not(Box::new(self.term()?))
        } else {
            self.next += 1;
            let inner = self.all()?;
            if !self.take_sign(")") {
                return Err(self.expected("AND, OR or )"));
            }
            inner
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, Error> {
        let position = self.position();
        self.comparisons += 1;
        if self.comparisons > MOST_COMPARISONS {
            let problem = format!("there must be at most {MOST_COMPARISONS} comparisons");
            return Err(Error::at(position, problem));
        }
        let Some(Token::Word(name)) = self.peek().cloned() else {
            return Err(self.expected("a field, NOT or ("));
        };
        self.next += 1;
        if let Some((_, field)) = TimeField::NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(Filter::Time(*field, self.time_test()?));
        }
        let field = if name == "tags" {
            TextField::Tag(self.tag()?)
        } else {
            let known = TextField::NAMED.into_iter();
            let named = known
                .filter(|(known, _)| *known == name)
                .map(|(_, field)| field)
                .next();
            named.ok_or_else(|| Error::at(position, format!("there is no field {name}")))?
        };
        let test = self.text_test(&field)?;
        Ok(Filter::Text(field, test))
    }

    fn tag(&mut self) -> Result<String, Error> {
        if !self.take_sign(".") {
            return Err(self.expected(". and the name of a tag"));
        }
        match self.peek().cloned() {
            Some(Token::Word(name) | Token::Quoted(name)) if !name.is_empty() => {
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.expected("the name of a tag")),
        }
    }

    fn text_test(&mut self, field: &TextField) -> Result<TextTest, Error> {
        if self.take_sign(":") {
            self.star()?;
            return Ok(TextTest::IsSet);
        }
        let differs = match self.peek() {
            Some(Token::Sign("=")) => false,
            Some(Token::Sign("!=")) => true,
            _ => return Err(self.expected("=, != or :*")),
        };
        self.next += 1;
        let position = self.position();
        let value = self.value()?;
        check_value(field, &value).map_err(|problem| Error::at(position, problem))?;
        Ok(if differs {
            TextTest::IsNot(value)
        } else {
            TextTest::Is(value)
        })
    }

    fn time_test(&mut self) -> Result<TimeTest, Error> {
        if self.take_sign(":") {
            self.star()?;
            return Ok(TimeTest::IsSet);
        }
        let comparison = match self.peek() {
            Some(Token::Sign("=")) => TimeComparison::Is,
            Some(Token::Sign("!=")) => TimeComparison::IsNot,
            Some(Token::Sign("<")) => TimeComparison::Before,
            Some(Token::Sign("<=")) => TimeComparison::BeforeOrAt,
            Some(Token::Sign(">")) => TimeComparison::After,
            Some(Token::Sign(">=")) => TimeComparison::AfterOrAt,
            _ => return Err(self.expected("=, !=, <, <=, >, >= or :*")),
        };
        self.next += 1;
        let position = self.position();
        let value = self.value()?;
        let time: Timestamp = value.parse().map_err(|_no_time| {
            let problem = "a time is written \"2026-11-01T00:00:00Z\", with quotes";
            Error::at(position, problem)
        })?;
        // Applications have no finer times.
        let time = Timestamp::from_microsecond(time.as_microsecond());
        let time = time.map_err(|_out_of_range| Error::at(position, "the time is out of range"))?;
        Ok(TimeTest::Compares(comparison, time))
    }

    fn value(&mut self) -> Result<String, Error> {
        match self.peek().cloned() {
            Some(Token::Word(value) | Token::Quoted(value)) => {
                self.next += 1;
                Ok(value)
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn star(&mut self) -> Result<(), Error> {
        if self.take_sign("*") {
            return Ok(());
        }
        Err(self.expected("*: only `:*`, for \"is set\", is understood"))
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let taken = matches!(self.peek(), Some(Token::Word(next)) if next == word);
        self.next += usize::from(taken);
        taken
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let taken = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.next += usize::from(taken);
        taken
    }

    fn expected(&self, what: &str) -> Error {
        Error::at(self.position(), format!("expected {what}"))
    }
}

fn one_or(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => many(filters),
    }
}

/// A value that its field can never have is a mistake, and not a condition that never holds.
fn check_value(field: &TextField, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("a value must not be empty; `NOT field:*` is for what is not set".to_owned());
    }
    match field {
        TextField::ApplicationId => value
            .parse::<ApplicationId>()
            .map(drop)
            .map_err(|error| error.to_string()),
        TextField::State => value
            .parse::<ApplicationState>()
            .map(drop)
            .map_err(|_no_state| {
                let names = ApplicationState::ALL.map(ApplicationState::as_str);
                format!("a state is one of {}", names.join(", "))
            }),
        TextField::Tier if Tier::ALL.iter().any(|tier| tier.as_str() == value) => Ok(()),
        TextField::Tier => {
            let names = Tier::ALL.map(Tier::as_str);
            Err(format!("a tier is one of {}", names.join(", ")))
        }
        _ => Ok(()),
    }
}
