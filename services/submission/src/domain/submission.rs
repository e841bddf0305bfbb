//! A request to run an application, checked.

use moka_core::PublicError;
use moka_proto::submission::v1::SubmitApplicationRequest;
use moka_rpc::Violations;
use serde::{Deserialize, Serialize};

use super::{
    spec::{self, Deadlines, Language, RetryRequest, Spec},
    terms::Terms,
};

const IDEMPOTENCY_KEY_BYTES: usize = 128;
/// The highest try number that a key may have.
pub const HIGHEST_TRY_NUMBER: u32 = 1_000_000;
const TRY_NUMBERS: std::ops::RangeInclusive<i32> = 0..=HIGHEST_TRY_NUMBER.cast_signed();
const DISPLAY_NAME_BYTES: usize = 128;

/// A request that passed every check. Its JSON form is what the database keeps and what a repeated
/// request is compared with; the names are those of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Whose it is.
    pub project: String,
    /// Unique in the project together with the try number.
    pub idempotency_key: String,
    /// The caller's own count of tries.
    pub try_number: u32,
    /// A name for people; the main file's name when the caller gave none.
    pub display_name: String,
    /// What to run.
    pub spec: Spec,
    /// What its project gave it when it was accepted; `None` when that was nothing. No part of the
    /// request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

impl Submission {
    /// Checks a request.
    ///
    /// # Errors
    ///
    /// `INVALID_FIELD` with every field that is at fault.
    pub fn parse(request: &SubmitApplicationRequest) -> Result<Self, PublicError> {
        let mut violations = Violations::new();
        violations.dns_label("project", &request.project);
        check_idempotency_key(&mut violations, &request.idempotency_key);
        violations.range("try_number", &request.try_number, &TRY_NUMBERS);
        check_display_name(&mut violations, &request.display_name);
        let spec = violations
            .required("spec", request.spec.as_ref())
            .and_then(|spec| spec::parse(&mut violations, spec));
        violations.into_result()?;
        let spec = spec.expect("a request without violations has a spec");
        let display_name = match request.display_name.as_str() {
            "" if spec.language == Language::Sql => "SQL".to_owned(),
            "" => main_file_name(&spec.main_application_file),
            name => name.to_owned(),
        };
        Ok(Self {
            project: request.project.clone(),
            idempotency_key: request.idempotency_key.clone(),
            try_number: request.try_number.unsigned_abs(),
            display_name,
            spec,
            terms: None,
        })
    }

    /// When to give up before the first placement.
    pub fn deadlines(&self) -> Deadlines {
        let terms = self.terms.as_ref();
        terms.map_or(self.spec.deadlines, |terms| terms.deadlines)
    }

    /// What is tried again before the first placement.
    pub fn retry(&self) -> Option<&RetryRequest> {
        let terms = self.terms.as_ref();
        terms.map_or(self.spec.retry.as_ref(), |terms| terms.retry.as_ref())
    }

    /// The request alone, as its caller sent it.
    #[must_use]
    pub fn request(&self) -> Self {
        Self {
            terms: None,
            ..self.clone()
        }
    }
}

fn check_idempotency_key(violations: &mut Violations, key: &str) {
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES || !printable {
        violations.add(
            "idempotency_key",
            format!("must be 1 to {IDEMPOTENCY_KEY_BYTES} printable ASCII characters"),
        );
    }
}

fn check_display_name(violations: &mut Violations, name: &str) {
    violations.max_length("display_name", name, DISPLAY_NAME_BYTES);
    if name.chars().any(char::is_control) {
        violations.add("display_name", "must not have control characters");
    }
}

/// The last segment of a URL, as much of it as a display name may have.
fn main_file_name(url: &str) -> String {
    let name = url.rsplit('/').find(|part| !part.is_empty()).unwrap_or(url);
    let mut end = name.len().min(DISPLAY_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

#[cfg(test)]
pub mod tests;
