//! What Spark fetches before the main file runs.

use moka_proto::submission::v1::Dependencies as WireDependencies;
use moka_rpc::Violations;

use super::text::{at_most, bytes_in_all, url};
use crate::domain::spec::Dependencies;

pub(super) const MOST_OF_EACH: usize = 256;
pub(super) const BYTES: usize = 64 * 1024;

pub(super) fn parse(
    violations: &mut Violations,
    dependencies: Option<&WireDependencies>,
) -> Dependencies {
    let WireDependencies {
        jars,
        files,
        py_files,
        archives,
        packages,
        exclude_packages,
        repositories,
    } = dependencies.cloned().unwrap_or_default();
    let lists = [
        ("jars", &jars, Form::Url),
        ("files", &files, Form::Url),
        ("py_files", &py_files, Form::Url),
        ("archives", &archives, Form::Url),
        ("packages", &packages, Form::Coordinates { parts: 3 }),
        (
            "exclude_packages",
            &exclude_packages,
            Form::Coordinates { parts: 2 },
        ),
        ("repositories", &repositories, Form::Url),
    ];
    for (name, list, form) in lists {
        let field = format!("spec.dependencies.{name}");
        at_most(violations, &field, list.len(), MOST_OF_EACH);
        for (index, text) in list.iter().take(MOST_OF_EACH).enumerate() {
            form.check(violations, &format!("{field}[{index}]"), text);
        }
    }
    let all = lists.iter().flat_map(|(_, list, _)| list.iter());
    bytes_in_all(violations, "spec.dependencies", all, BYTES);
    Dependencies {
        jars,
        files,
        py_files,
        archives,
        packages,
        exclude_packages,
        repositories,
    }
}

/// How an entry is written. Spark joins each list with commas, so that none may have one.
#[derive(Debug, Clone, Copy)]
enum Form {
    Url,
    Coordinates { parts: usize },
}

impl Form {
    fn check(self, violations: &mut Violations, field: &str, text: &str) {
        if text.contains(',') {
            violations.add(field, "must not have a comma");
            return;
        }
        match self {
            Self::Url => url(violations, field, text),
            Self::Coordinates { parts } => {
                let found: Vec<_> = text.split(':').collect();
                let broken = |part: &&str| {
                    part.is_empty() || part.contains(|c: char| c.is_whitespace() || c.is_control())
                };
                if found.len() != parts || found.iter().any(broken) {
                    let example = if parts == 3 {
                        "group:artifact:version"
                    } else {
                        "group:artifact"
                    };
                    violations.add(field, format!("must be written {example}"));
                }
            }
        }
    }
}
