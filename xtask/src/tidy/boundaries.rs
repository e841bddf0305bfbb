//! Which outside library may be named where: gRPC at the border, SQL in the store, Kubernetes in
//! the cluster modules, the S3 SDK in `objects`; and nothing but plain values in `domain/`.

use super::{Finding, Source};

/// A library and the places that may name it.
struct Boundary {
    library: &'static str,
    homes: &'static [&'static str],
}

const BOUNDARIES: &[Boundary] = &[
    Boundary {
        library: "tonic::",
        homes: &[
            "clients/",
            "libs/rpc/",
            "libs/proto/",
            "libs/process/",
            "/src/api.rs",
            "/src/api/",
            "/client",
            "/src/lib.rs",
        ],
    },
    Boundary {
        library: "sqlx::",
        homes: &["libs/db/", "/src/store.rs", "/src/store/"],
    },
    Boundary {
        library: "kube::",
        homes: &["libs/kube/", "/src/cluster.rs", "/src/cluster/"],
    },
    Boundary {
        library: "aws_sdk_s3::",
        homes: &["libs/objects/"],
    },
];

/// What `domain/` may not know: it is pure, so that it can be tested without anything else.
const IMPURE: &[&str] = &[
    "tokio::",
    "tonic::",
    "sqlx::",
    "kube::",
    "async fn",
    ".await",
    "std::fs",
    "std::net",
    "Timestamp::now",
    "std::env",
    "reqwest::",
    "moka_objects::",
    "moka_db::",
    "moka_kube::",
];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let path = source.path_text();
    let mut findings = Vec::new();
    if path.starts_with("tests/")
        || path.starts_with("xtask/")
        || path.contains("/tests/")
        || path.contains("/examples/")
    {
        return findings;
    }
    let is_domain = path.contains("/src/domain/") || path.ends_with("/src/domain.rs");
    for (number, line) in source.code_lines() {
        for boundary in BOUNDARIES {
            let named = names(line, boundary.library);
            if named && !boundary.homes.iter().any(|home| path.contains(home)) {
                let rule = format!(
                    "`{}` belongs to {}",
                    boundary.library,
                    boundary.homes.join(", ")
                );
                findings.push(Finding::new(source, number, rule));
            }
        }
        for impure in IMPURE
            .iter()
            .filter(|impure| is_domain && line.contains(**impure))
        {
            findings.push(Finding::new(
                source,
                number,
                format!("`{impure}` in domain/, which is pure"),
            ));
        }
    }
    findings
}

/// Whether `library` stands there as a path of its own: `moka_kube::` is not `kube::`.
fn names(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Source {
            path: path.into(),
            text: text.to_owned(),
        })
        .len()
    }

    #[test]
    fn libraries_stay_in_their_homes() {
        assert_eq!(count("services/a/src/api/get.rs", "use tonic::Status;"), 0);
        assert_eq!(count("services/a/src/worker.rs", "use tonic::Status;"), 1);
        assert_eq!(
            count("services/a/src/worker.rs", "use moka_kube::Client;"),
            0
        );
        assert_eq!(count("services/a/src/worker.rs", "use kube::Client;"), 1);
        assert_eq!(
            count("services/a/src/worker.rs", "// kube::Client is elsewhere"),
            0
        );
    }

    #[test]
    fn domain_is_pure() {
        assert_eq!(
            count("services/a/src/domain/state.rs", "pub async fn decide() {}"),
            1
        );
        assert_eq!(
            count("services/a/src/domain/state.rs", "pub fn decide() {}"),
            0
        );
    }
}
