//! Every `MOKA_…` variable in a manifest is an option of some service, so that a typing error in a
//! manifest is found before a cluster finds it.

use std::collections::BTreeSet;

use super::{Finding, Source};
use crate::workspace;

/// The prefix of every variable.
const PREFIX: &str = "MOKA_";

pub(super) fn check() -> anyhow::Result<Vec<Finding>> {
    let mut options = BTreeSet::new();
    for folder in ["services", "libs/process"] {
        for path in workspace::files(folder, ".rs")? {
            options.extend(variables(&Source::read(path)?.text).map(str::to_owned));
        }
    }
    let mut findings = Vec::new();
    for path in workspace::files("deploy/kustomize", ".yaml")? {
        let manifest = Source::read(path)?;
        for (number, line) in (1..).zip(manifest.text.lines()) {
            for variable in variables(line).filter(|variable| !options.contains(*variable)) {
                let rule = format!("`{variable}` is no option of any service");
                findings.push(Finding::new(&manifest, number, rule));
            }
        }
    }
    Ok(findings)
}

/// Every word of `text` that starts with the prefix.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(PREFIX) && word.len() > PREFIX.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_whole_words() {
        let found: Vec<_> = variables("- {name: MOKA_LISTEN, value: x}\nNO_MOKA_THING").collect();
        assert_eq!(found, ["MOKA_LISTEN"]);
    }
}
