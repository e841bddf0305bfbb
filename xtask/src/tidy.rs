//! `cargo xtask tidy`: the repository's own rules as code. Each rule is a file below `tidy/`, and
//! `docs/architecture.md` says why it exists.

mod boundaries;
mod dependencies;
mod docs;
mod environment;
mod sources;
mod tls;

use std::{fmt, fs, path::PathBuf};

use anyhow::bail;

use crate::workspace;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: PathBuf,
    /// Counts from 1; 0 means the whole file.
    line: usize,
    rule: String,
}

impl Finding {
    fn new(source: &Source, line: usize, rule: impl Into<String>) -> Self {
        Self {
            path: source.path.clone(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule } = self;
        match line {
            0 => write!(f, "{}: {rule}", path.display()),
            _ => write!(f, "{}:{line}: {rule}", path.display()),
        }
    }
}

/// A file of the repository, by its path from the root.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let text = fs::read_to_string(workspace::root().join(&path))?;
        Ok(Self { path, text })
    }

    fn path_text(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }

    /// Lines with their numbers, up to the tests of a module, comments left out.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..)
            .zip(self.text.lines())
            .take_while(|(_, line)| *line != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Checks every rule.
///
/// # Errors
/// When any place breaks a rule; every such place is printed before.
pub fn run() -> anyhow::Result<()> {
    let sources = rust_sources()?;
    let mut findings = Vec::new();
    for source in &sources {
        findings.extend(sources::check(source));
        findings.extend(boundaries::check(source));
    }
    findings.extend(dependencies::check()?);
    findings.extend(docs::check()?);
    findings.extend(environment::check()?);
    findings.extend(tls::check()?);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} places break a rule of this repository", findings.len());
    }
    println!("tidy: {} Rust files keep every rule", sources.len());
    Ok(())
}

/// Every Rust file that people write.
fn rust_sources() -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["clients", "libs", "services", "tests", "xtask"] {
        for path in workspace::files(folder, ".rs")? {
            if !path
                .components()
                .any(|part| part.as_os_str() == "generated")
            {
                sources.push(Source::read(path)?);
            }
        }
    }
    Ok(sources)
}
