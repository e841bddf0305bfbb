//! Names below the directory of event logs.

use moka_core::AttemptName;

use super::Source;

/// What Spark's writer adds to the name until it has closed the file.
const IN_PROGRESS: &str = ".inprogress";

/// What `<attempt>/<file>` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLogName {
    /// The attempt that the directory is for.
    pub attempt: AttemptName,
    /// The file's name, without `.inprogress`.
    pub file: String,
    /// Whether the name still says that more is to come.
    pub in_progress: bool,
}

impl EventLogName {
    /// Reads the two names. `None` for a directory that is no attempt's, and for a file name that
    /// cannot stand in a key.
    pub fn parse(directory: &str, file: &str) -> Option<Self> {
        let attempt = directory.parse().ok()?;
        let (file, in_progress) = match file.strip_suffix(IN_PROGRESS) {
            Some(file) => (file, true),
            None => (file, false),
        };
        if !fits_a_key(file) {
            return None;
        }
        Some(Self {
            attempt,
            file: file.to_owned(),
            in_progress,
        })
    }

    /// Whose log it is.
    pub fn source(&self) -> Source {
        Source::Event {
            attempt: self.attempt,
            file: self.file.clone(),
        }
    }

    /// The path below the directory that records carry: without `.inprogress`, so that the rename
    /// at the end changes no stream's name.
    pub fn written_path(&self) -> String {
        format!("{}/{}", self.attempt, self.file)
    }
}

/// Whether the object store takes the name as a part of a key: the rules of `moka_objects`, for
/// names that a driver may choose as it likes.
fn fits_a_key(file: &str) -> bool {
    (1..=255).contains(&file.len())
        && file != "."
        && file != ".."
        && !file.starts_with(".moka-")
        && !file.contains(|c: char| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";

    #[test]
    fn rename_at_the_end_keeps_the_path() {
        let before = EventLogName::parse(ATTEMPT, "spark-1.inprogress").unwrap();
        let after = EventLogName::parse(ATTEMPT, "spark-1").unwrap();
        assert!(before.in_progress && !after.in_progress);
        assert_eq!(before.written_path(), after.written_path());
        assert_eq!(before.source(), after.source());
    }

    #[test]
    fn every_accepted_name_is_one_that_the_store_takes() {
        let long = "x".repeat(255);
        for file in [".hidden", "a b=ü", "..a", "x", &long] {
            let name = EventLogName::parse(ATTEMPT, file).unwrap();
            assert!(
                moka_objects::ObjectKey::new(name.written_path()).is_ok(),
                "{file}"
            );
        }
        assert_eq!(EventLogName::parse(ATTEMPT, &(long + "x")), None);
    }

    #[test]
    fn names_that_fit_no_key_are_refused() {
        for (directory, file) in [
            ("lost+found", "spark-1"),
            ("m01hf7yat00v2t9d4h5w8k3e6qz", "spark-1"),
            (ATTEMPT, ""),
            (ATTEMPT, ".inprogress"),
            (ATTEMPT, ".."),
            (ATTEMPT, "a/b"),
            (ATTEMPT, "a\nb"),
            (ATTEMPT, ".moka-part"),
        ] {
            assert_eq!(
                EventLogName::parse(directory, file),
                None,
                "{directory}/{file:?}"
            );
        }
    }
}
