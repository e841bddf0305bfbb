//! SQL applications: a program of ours runs the statements. Program and statements travel as
//! annotations of the driver's pod, which a volume shows as files; there is no object to clean up.

use std::collections::BTreeMap;

use moka_core::labels;
use serde_json::{Value, json};

use super::{super::launch_spec::LaunchSpec, volumes::Mounted};

/// Where Spark finds the program.
pub(super) const MAIN_FILE: &str = "local:///opt/moka/sql/run.py";
const DIRECTORY: &str = "/opt/moka/sql";
const VOLUME: &str = "moka-sql";
const RUNNER: &str = include_str!("run.py");

pub(super) fn annotations(spec: &LaunchSpec) -> Value {
    let runner = (labels::SQL_RUNNER.to_owned(), RUNNER);
    let statements = spec.sql_statements.iter().enumerate();
    let all: BTreeMap<_, _> = std::iter::once(runner)
        .chain(statements.map(|(index, statement)| (key(index), statement.as_str())))
        .collect();
    json!(all)
}

pub(super) fn volume(spec: &LaunchSpec) -> Mounted {
    let file = |path: String, key: &str| {
        let field = json!({ "fieldPath": format!("metadata.annotations['{key}']") });
        json!({ "path": path, "fieldRef": field })
    };
    let statements =
        (0..spec.sql_statements.len()).map(|index| file(format!("{index:03}.sql"), &key(index)));
    let runner = file("run.py".to_owned(), labels::SQL_RUNNER);
    let items: Vec<_> = std::iter::once(runner).chain(statements).collect();
    Mounted {
        volume: json!({ "name": VOLUME, "downwardAPI": { "items": items } }),
        mount: json!({ "name": VOLUME, "mountPath": DIRECTORY, "readOnly": true }),
    }
}

/// Three digits, so that the order of names is the order of statements.
fn key(index: usize) -> String {
    format!("{}{index:03}", labels::SQL_STATEMENT_PREFIX)
}
