//! What a project gives to an application when it is accepted. A placement says more, and then that
//! counts.

use serde::{Deserialize, Serialize};

use super::{
    resolve::{Rules, deadlines, retry_request},
    spec::{Deadlines, RetryRequest, Spec},
};

/// When to give up, and what is tried again, before the first placement: the request's own, or else
/// its project's of that moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// When to give up.
    pub deadlines: Deadlines,
    /// What is tried again; once is enough without it.
    pub retry: Option<RetryRequest>,
}

impl Terms {
    /// Those of a request by itself.
    pub fn own(spec: &Spec) -> Self {
        Self::under(spec, Rules::default())
    }

    /// Those of a request under some rules.
    pub fn under(spec: &Spec, rules: Rules<'_>) -> Self {
        Self {
            deadlines: deadlines(spec, rules),
            retry: retry_request(spec, rules).cloned(),
        }
    }
}
