//! What YuniKorn knows of one application.

use serde::Deserialize;

use super::resources::{Amount, ResourceMap};

/// An application in YuniKorn's own terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationState {
    /// YuniKorn's word, such as `Running`; empty when it does not know the application.
    pub state: String,
    /// The queue it is in.
    pub queue: String,
    /// Why it was rejected.
    pub rejected_message: String,
    /// Pods that hold resources, placeholders included.
    pub allocated_pods: usize,
    /// Pods that wait for resources.
    pub pending_pods: i64,
    /// Placeholders that real pods have replaced.
    pub replaced_placeholders: i64,
}

impl ApplicationState {
    /// Reads the answer of `/ws/v1/partition/<name>/application/<id>`.
    ///
    /// # Errors
    ///
    /// When it is not the JSON of an application.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice::<WireApplication>(json).map(Self::from)
    }

    /// Looks for an application in the answer of `/ws/v1/partition/<name>/applications/rejected`.
    /// YuniKorn lists the same id once per rejection, in any order; the last one counts.
    ///
    /// # Errors
    ///
    /// When it is not the JSON of a list of applications.
    pub fn find_rejected(
        json: &[u8],
        application_id: &str,
    ) -> Result<Option<Self>, serde_json::Error> {
        let rejected: Vec<WireApplication> = serde_json::from_slice(json)?;
        let ours = rejected
            .into_iter()
            .filter(|each| each.application_id == application_id);
        Ok(ours.max_by_key(|each| each.finished_time).map(Self::from))
    }
}

/// An application as YuniKorn writes it; it leaves empty fields out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireApplication {
    #[serde(rename = "applicationID")]
    application_id: String,
    application_state: String,
    queue_name: String,
    rejected_message: String,
    finished_time: i64,
    allocations: Vec<serde::de::IgnoredAny>,
    pending_resource: ResourceMap,
    placeholder_data: Vec<WirePlaceholders>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WirePlaceholders {
    replaced: i64,
}

impl From<WireApplication> for ApplicationState {
    fn from(wire: WireApplication) -> Self {
        Self {
            state: wire.application_state,
            queue: wire.queue_name,
            rejected_message: wire.rejected_message,
            allocated_pods: wire.allocations.len(),
            pending_pods: Amount::of_map(&wire.pending_resource).pods,
            replaced_placeholders: wire
                .placeholder_data
                .iter()
                .fold(0, |sum: i64, group| sum.saturating_add(group.replaced)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! corpus {
        ($name:literal) => {
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../tests/corpora/yunikorn/",
                $name
            ))
        };
    }

    #[test]
    fn running_application_is_read() {
        let state = ApplicationState::parse(corpus!("application-running.json")).unwrap();
        let expected = ApplicationState {
            state: "Running".to_owned(),
            queue: "root.ads.etl".to_owned(),
            allocated_pods: 3,
            replaced_placeholders: 3,
            ..ApplicationState::default()
        };
        assert_eq!(state, expected);
    }

    #[test]
    fn completing_application_holds_nothing() {
        let state = ApplicationState::parse(corpus!("application-completing.json")).unwrap();
        assert_eq!(
            (state.state.as_str(), state.allocated_pods),
            ("Completing", 0)
        );
    }

    #[test]
    fn rejected_application_is_found_with_its_reason() {
        let list = corpus!("applications-rejected.json");
        let id = "spark-16fd09efa5a64d68b66f187a5e339c4b";
        let state = ApplicationState::find_rejected(list, id).unwrap().unwrap();
        assert_eq!(state.state, "Rejected");
        assert!(
            state
                .rejected_message
                .contains("larger than max queue allocation")
        );
        assert_eq!(
            ApplicationState::find_rejected(list, "spark-other").unwrap(),
            None
        );
    }

    #[test]
    fn waiting_pods_are_counted() {
        let json = br#"{"applicationState":"Accepted","pendingResource":{"pods":2,"vcore":200}}"#;
        assert_eq!(ApplicationState::parse(json).unwrap().pending_pods, 2);
    }
}
