//! The words of a filter.

use super::parse::Error;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a keyword, or a value without quotes.
    Word(String),
    /// A value in quotes.
    Quoted(String),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `:`, `.`, `*`, `(` or `)`.
    Sign(&'static str),
}

/// A word and where it begins, in bytes.
pub(super) type Placed = (usize, Token);

/// The longest first.
const SIGNS: [&str; 11] = ["!=", "<=", ">=", "=", "<", ">", ":", ".", "*", "(", ")"];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Error> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if next.is_ascii_whitespace() {
            at += 1;
        } else if next == '"' || next == '\'' {
            let (value, length) = quoted(&text[at..], next, at)?;
            tokens.push((at, Token::Quoted(value)));
            at += length;
        } else if let Some(sign) = SIGNS.iter().find(|sign| text[at..].starts_with(**sign)) {
            tokens.push((at, Token::Sign(sign)));
            at += sign.len();
        } else {
            let length = text[at..].find(|c: char| !is_word(c));
            let length = length.unwrap_or(text.len() - at);
            if length == 0 {
                return Err(Error::at(at, format!("{next:?} has no meaning here")));
            }
            tokens.push((at, Token::Word(text[at..at + length].to_owned())));
            at += length;
        }
    }
    Ok(tokens)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '-'
}

/// A value in quotes and how many bytes it takes; a backslash takes the next character as it is.
fn quoted(text: &str, quote: char, at: usize) -> Result<(String, usize), Error> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        let taken = match character {
            _ if character == quote => return Ok((value, index + 1)),
            '\\' => characters.next().map(|(_, next)| next),
            _ => Some(character),
        };
        match taken {
            Some(character) if character.is_control() => {
                let problem = "a value must not have control characters";
                return Err(Error::at(at + index, problem));
            }
            Some(character) => value.push(character),
            None => break,
        }
    }
    Err(Error::at(at, "the quote is not closed"))
}
