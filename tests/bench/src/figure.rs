//! One measured figure.

use serde::Serialize;

/// A value and what a peer, or the bare resource, reached in the same run.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    #[serde(rename = "figure")]
    name: &'static str,
    /// How much.
    value: f64,
    /// In what.
    unit: &'static str,
    /// What the other reached.
    floor: Option<f64>,
    /// Who the other is.
    floor_of: Option<&'static str>,
}

impl Figure {
    /// A figure with a limit of its own.
    pub(crate) fn alone(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            floor: None,
            floor_of: None,
        }
    }

    /// The same figure beside what somebody else reached in the same run.
    pub(crate) fn beside(self, floor: f64, floor_of: &'static str) -> Self {
        Self {
            floor: Some(floor),
            floor_of: Some(floor_of),
            ..self
        }
    }
}

/// The median, which one run that was disturbed does not change.
pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
