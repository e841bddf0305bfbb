//! The table of limits in the documentation is what the code checks.

use std::{fmt::Display, ops::RangeInclusive};

use super::{
    IDENTITY_BYTES, dependencies, labels, pods, program, scheduling::DEADLINE_SECONDS, settings,
    text::ONE_ARGUMENT_BYTES, volumes,
};
use crate::domain::{
    manifest::{ALLOWANCE_BYTES, MOST_BYTES},
    spec::ATTEMPTS,
};

const PAGE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/submission-spec.md"
));

fn range<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start(), range.end())
}

fn collection(most: usize, bytes: usize) -> String {
    format!("{most}, {bytes} bytes in all")
}

fn rows() -> Vec<(&'static str, String)> {
    let object = MOST_BYTES - ALLOWANCE_BYTES;
    let arguments = collection(program::MOST_ARGUMENTS, program::ARGUMENTS_BYTES);
    let settings_in_all = collection(settings::MOST_SETTINGS, settings::SETTINGS_BYTES);
    vec![
        (
            "the object in JSON",
            format!("{object} bytes, and {ALLOWANCE_BYTES} for what placement adds"),
        ),
        (
            "`arguments`",
            format!("{arguments}, {ONE_ARGUMENT_BYTES} each"),
        ),
        (
            "`sql_statements`",
            collection(program::MOST_STATEMENTS, program::STATEMENTS_BYTES),
        ),
        (
            "`spark_conf`",
            format!("{settings_in_all}, {ONE_ARGUMENT_BYTES} each"),
        ),
        (
            "`environment`",
            collection(settings::MOST_VARIABLES, settings::VARIABLES_BYTES),
        ),
        ("`secret_environment`", settings::MOST_SECRETS.to_string()),
        (
            "`dependencies`",
            format!(
                "{} in each list, {} bytes in all",
                dependencies::MOST_OF_EACH,
                dependencies::BYTES
            ),
        ),
        ("`volumes`", volumes::MOST_VOLUMES.to_string()),
        (
            "`extended_resources`",
            format!(
                "{}, {} of each",
                pods::MOST_EXTENDED_RESOURCES,
                range(&pods::EXTENDED_QUANTITY)
            ),
        ),
        (
            "`tags`, `labels`",
            format!("{}, {}", labels::MOST_TAGS, labels::MOST_LABELS),
        ),
        (
            "`owner`, `workflow`, `run`",
            format!("{IDENTITY_BYTES} bytes of printable ASCII"),
        ),
        ("executors", range(&pods::INSTANCES)),
        (
            "cores, millicores",
            format!("{}, {}", range(&pods::CORES), range(&pods::CPU_MILLICORES)),
        ),
        ("heap", format!("{} bytes", range(&pods::HEAP_BYTES))),
        ("deadlines", format!("{} s", range(&DEADLINE_SECONDS))),
        ("attempts of a retry policy", range(&ATTEMPTS)),
    ]
}

#[test]
fn the_documented_limits_are_those_of_the_code() {
    let (_, section) = PAGE.split_once("## Limits").unwrap();
    let written: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    let expected: Vec<_> = rows()
        .into_iter()
        .map(|(what, limit)| format!("| {what} | {limit} |"))
        .collect();
    assert_eq!(written, expected);
}
