//! Documents keep up with the code: every error reason has a page, every link between documents
//! leads somewhere, and every service is described.

use std::path::PathBuf;

use moka_core::ErrorReason;

use super::{Finding, Source};
use crate::workspace;

pub(super) fn check() -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let errors = Source::read(PathBuf::from("docs/errors.md"))?;
    for reason in ErrorReason::ALL {
        let heading = format!("## {}", reason.as_str());
        if !errors.text.lines().any(|line| line == heading) {
            findings.push(Finding::new(&errors, 0, format!("no heading `{heading}`")));
        }
    }
    let mut documents = workspace::files("docs", ".md")?;
    documents.extend(["README.md", "CONTRIBUTING.md", "examples/README.md"].map(PathBuf::from));
    for path in documents {
        findings.extend(dead_links(&Source::read(path)?));
    }
    Ok(findings)
}

/// Links of the form `](path)` to files of this repository that do not exist.
fn dead_links(document: &Source) -> Vec<Finding> {
    let folder = workspace::root().join(&document.path);
    let folder = folder.parent().expect("a document is in a folder");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(document.text.lines()) {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            let external = target.contains("://") || target.is_empty();
            if !external && !folder.join(target).exists() {
                findings.push(Finding::new(
                    document,
                    number,
                    format!("`{target}` does not exist"),
                ));
            }
        }
    }
    findings
}
