//! Which fields of an application an answer has.

use moka_core::PublicError;
use moka_proto::submission::v1::Application;
use moka_rpc::Violations;

/// Most paths of a mask.
const MOST_PATHS: usize = 32;

/// Names of fields of an application; nothing means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ReadMask(Vec<String>);

macro_rules! fields {
    ($($field:ident),* $(,)?) => {
        const FIELDS: &[&str] = &[$(stringify!($field)),*];

        fn clear(application: &mut Application, keeps: impl Fn(&str) -> bool) {
            // Destructured, so that a new field is not forgotten.
            let Application { $($field),* } = application;
            $(if !keeps(stringify!($field)) {
                *$field = Default::default();
            })*
        }
    };
}

fields! {
    application_id, project, idempotency_key, try_number, predecessor_application_id,
    display_name, spec, state, attempts, create_time, update_time, end_time, version,
    next_attempt_time,
}

impl ReadMask {
    /// Checks a mask.
    ///
    /// # Errors
    ///
    /// `INVALID_FIELD` for a path that is no top-level field.
    pub(super) fn parse(mask: Option<prost_types::FieldMask>) -> Result<Self, PublicError> {
        let paths = mask.unwrap_or_default().paths;
        let mut violations = Violations::new();
        if paths.len() > MOST_PATHS {
            violations.add("read_mask", format!("must have at most {MOST_PATHS} paths"));
        } else if let Some(path) = paths.iter().find(|path| !FIELDS.contains(&path.as_str())) {
            let rule = format!("{path:?} is none of {}", FIELDS.join(", "));
            violations.add("read_mask", rule);
        }
        violations.into_result()?;
        Ok(Self(paths))
    }

    /// The application with nothing but the fields of the mask.
    pub(super) fn apply(&self, mut application: Application) -> Application {
        if !self.0.is_empty() {
            clear(&mut application, |name| {
                self.0.iter().any(|path| path == name)
            });
        }
        application
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(paths: &[&str]) -> Result<ReadMask, PublicError> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        ReadMask::parse(Some(prost_types::FieldMask { paths }))
    }

    #[test]
    fn only_what_is_named_stays() {
        let application = Application {
            application_id: "m".to_owned(),
            state: 3,
            version: 7,
            ..Application::default()
        };
        let mask = parse(&["state", "version"]).unwrap();
        let shown = mask.apply(application.clone());
        assert_eq!(
            (shown.application_id.as_str(), shown.state, shown.version),
            ("", 3, 7)
        );
        assert_eq!(parse(&[]).unwrap().apply(application.clone()), application);
    }

    #[test]
    fn masks_name_top_level_fields() {
        for path in ["spec.image", "colour", ""] {
            let error = parse(&[path]).unwrap_err();
            assert_eq!(error.violations[0].field, "read_mask", "{path}");
        }
        assert!(parse(&["state"; MOST_PATHS]).is_ok());
        assert!(parse(&["state"; MOST_PATHS + 1]).is_err());
    }
}
