//! Rules for a single Rust file: its size, and what may not be left behind in it.

use super::{Finding, Source};

const MAXIMUM_LINES: usize = 500;
const MAXIMUM_MAIN_LINES: usize = 25;

/// Text that may not stand in a file, and why. Written in two halves so that this file keeps its
/// own rule.
const LEFTOVERS: &[(&str, &str)] = &[
    (
        concat!("TO", "DO"),
        "nothing is left for later in the code; open an issue",
    ),
    (
        concat!("FIX", "ME"),
        "nothing is left for later in the code; open an issue",
    ),
    (
        concat!("#![", "allow("),
        "use #![expect(…, reason)], which complains when it is no longer needed",
    ),
    (
        concat!("#[", "allow("),
        "use #[expect(…, reason)], which complains when it is no longer needed",
    ),
    (
        concat!("#[", "ignore"),
        "a test that does not run is no test; assert the known behaviour with a note",
    ),
    (concat!("unimpl", "emented!("), "no stub is called done"),
];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAXIMUM_LINES {
        let rule =
            format!("{lines} lines, at most {MAXIMUM_LINES}: which second concept is in here?");
        findings.push(Finding::new(source, 0, rule));
    }
    let path = source.path_text();
    if path.starts_with("services/") && path.ends_with("src/main.rs") && lines > MAXIMUM_MAIN_LINES
    {
        let rule = format!(
            "{lines} lines, a main has at most {MAXIMUM_MAIN_LINES}: it parses and delegates"
        );
        findings.push(Finding::new(source, 0, rule));
    }
    if path.ends_with("/mod.rs") {
        findings.push(Finding::new(
            source,
            0,
            "name the module's file after the module",
        ));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        for (text, why) in LEFTOVERS {
            if line.contains(text) {
                findings.push(Finding::new(source, number, format!("`{text}`: {why}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let source = Source {
            path: path.into(),
            text: text.to_owned(),
        };
        check(&source).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_short_clean_file_passes() {
        assert!(findings("libs/core/src/id.rs", "fn a() {}\n").is_empty());
    }

    #[test]
    fn size_name_and_leftovers_are_found() {
        assert_eq!(findings("libs/a/src/b.rs", &"x\n".repeat(501)).len(), 1);
        assert_eq!(
            findings("services/a/src/main.rs", &"x\n".repeat(26)).len(),
            1
        );
        assert_eq!(findings("libs/a/src/b/mod.rs", "").len(), 1);
        let leftover = format!("// {}: later\n", concat!("TO", "DO"));
        assert!(findings("libs/a/src/b.rs", &leftover)[0].starts_with("libs/a/src/b.rs:1:"));
    }
}
