//! What runs: the language and what belongs to it.

use moka_proto::submission::v1::{ApplicationSpec, ApplicationType};
use moka_rpc::Violations;

use super::text::{ONE_ARGUMENT_BYTES, at_most, bytes_in_all, url, word};
use crate::domain::spec::Language;

const MAIN_CLASS_BYTES: usize = 1024;
const SPARK_VERSION_BYTES: usize = 64;
pub(super) const MOST_ARGUMENTS: usize = 1024;
pub(super) const ARGUMENTS_BYTES: usize = 128 * 1024;
pub(super) const MOST_STATEMENTS: usize = 256;
pub(super) const STATEMENTS_BYTES: usize = 128 * 1024;

/// A checked language and main class.
pub(super) struct Program {
    pub(super) language: Language,
    /// There exactly for JVM languages.
    pub(super) main_class: Option<String>,
}

pub(super) fn parse(violations: &mut Violations, spec: &ApplicationSpec) -> Option<Program> {
    if !spec.spark_version.is_empty() {
        spark_version(violations, "spec.spark_version", &spec.spark_version);
    }
    let Some(language) = language(spec.r#type) else {
        violations.add("spec.type", "must be PYTHON, JAVA, SCALA, R or SQL");
        return None;
    };
    if language == Language::Sql {
        check_statements(violations, &spec.sql_statements);
        must_be_empty(violations, spec);
    } else {
        url(
            violations,
            "spec.main_application_file",
            &spec.main_application_file,
        );
        if !spec.sql_statements.is_empty() {
            violations.add("spec.sql_statements", "must be empty but for SQL");
        }
    }
    let main_class = main_class(violations, language, &spec.main_class);
    check_arguments(violations, &spec.arguments);
    Some(Program {
        language,
        main_class,
    })
}

/// Three numbers and perhaps a suffix.
pub(in crate::domain) fn spark_version(violations: &mut Violations, field: &str, version: &str) {
    violations.max_length(field, version, SPARK_VERSION_BYTES);
    let (numbers, suffix) = version.split_once('-').unwrap_or((version, "release"));
    let parts: Vec<_> = numbers.split('.').collect();
    let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = parts.len() == 3
        && parts.iter().all(numeric)
        && !suffix.is_empty()
        && suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if !well_formed {
        violations.add(field, "must be a version such as 4.0.1");
    }
}

fn language(number: i32) -> Option<Language> {
    match ApplicationType::try_from(number).ok()? {
        ApplicationType::Python => Some(Language::Python),
        ApplicationType::Java => Some(Language::Java),
        ApplicationType::Scala => Some(Language::Scala),
        ApplicationType::R => Some(Language::R),
        ApplicationType::Sql => Some(Language::Sql),
        ApplicationType::Unspecified => None,
    }
}

fn main_class(violations: &mut Violations, language: Language, class: &str) -> Option<String> {
    const FIELD: &str = "spec.main_class";
    if language.needs_main_class() {
        word(violations, FIELD, class, MAIN_CLASS_BYTES);
        return Some(class.to_owned());
    }
    if !class.is_empty() {
        violations.add(FIELD, "must be empty but for JAVA and SCALA");
    }
    None
}

/// NUL ends an argument of a process, and a variable.
fn check_arguments(violations: &mut Violations, arguments: &[String]) {
    const FIELD: &str = "spec.arguments";
    at_most(violations, FIELD, arguments.len(), MOST_ARGUMENTS);
    bytes_in_all(violations, FIELD, arguments, ARGUMENTS_BYTES);
    if arguments.iter().any(|one| one.len() > ONE_ARGUMENT_BYTES) {
        let rule = format!("must be at most {ONE_ARGUMENT_BYTES} bytes each");
        violations.add(FIELD, rule);
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        violations.add(FIELD, "must not have NUL characters");
    }
}

fn check_statements(violations: &mut Violations, statements: &[String]) {
    const FIELD: &str = "spec.sql_statements";
    if statements.is_empty() {
        violations.add(FIELD, "must be set for SQL");
    }
    at_most(violations, FIELD, statements.len(), MOST_STATEMENTS);
    bytes_in_all(violations, FIELD, statements, STATEMENTS_BYTES);
    if statements.iter().any(|text| text.trim().is_empty()) {
        violations.add(FIELD, "must not have an empty statement");
    }
    if statements.iter().any(|text| text.contains('\0')) {
        violations.add(FIELD, "must not have NUL characters");
    }
}

/// Statements have neither a file nor arguments.
fn must_be_empty(violations: &mut Violations, spec: &ApplicationSpec) {
    if !spec.main_application_file.is_empty() {
        violations.add("spec.main_application_file", "must be empty for SQL");
    }
    if !spec.arguments.is_empty() {
        violations.add("spec.arguments", "must be empty for SQL");
    }
}
