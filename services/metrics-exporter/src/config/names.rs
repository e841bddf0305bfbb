//! A list of names that may be empty.

use std::{convert::Infallible, str::FromStr};

/// Names, written with commas between them. An empty text is no names, which an environment
/// variable could not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl FromStr for Names {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(Self(names.map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_text_is_no_names() {
        assert_eq!("".parse(), Ok(Names::default()));
        assert_eq!(
            " a, ,b,".parse(),
            Ok(Names(vec!["a".to_owned(), "b".to_owned()]))
        );
    }
}
