//! One measured figure.

use serde::Serialize;

/// A value and what a peer, or the bare resource, reached in the same run.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    #[serde(rename = "figure")]
    pub(crate) name: &'static str,
    /// How much.
    pub(crate) value: f64,
    /// In what.
    pub(crate) unit: &'static str,
    /// What the other reached.
    pub(crate) floor: Option<f64>,
    /// Who the other is.
    pub(crate) floor_of: Option<&'static str>,
}
