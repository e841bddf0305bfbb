//! Whether a request may be accepted under the rules of today.

use moka_core::PublicError;

use super::{
    launch_spec::LaunchSpec,
    manifest::check_size,
    policy::check_policy,
    resolve::{self, NotResolved, Rules, architectures_to_try, resolve},
    rules::{Cluster, OverridePolicy, Project, Strategy},
    spec::{Architecture, Spec},
    submission::Submission,
    terms::Terms,
};

/// The rules under which a request comes in.
#[derive(Debug, Clone, Default)]
pub struct AdmissionRules<'a> {
    /// Those of its workflow.
    pub strategy: Option<&'a Strategy>,
    /// Those of its project.
    pub project: Option<&'a Project>,
    /// Those of every cluster of the fleet.
    pub clusters: Vec<&'a Cluster>,
}

/// What is known of a request that may be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The queue that it will ask for, its own or a default.
    pub queue: String,
    /// What its project gives it; `None` when that is nothing.
    pub terms: Option<Terms>,
}

/// Checks everything about a request that could only fail later otherwise. The rules may be others
/// when it is placed; then that decides.
///
/// # Errors
///
/// `POLICY_VIOLATION` when the project's policy does not allow it; `INVALID_FIELD` when something
/// is missing for which nobody has a default, or when the object would be too large.
pub fn admit(submission: &Submission, rules: &AdmissionRules<'_>) -> Result<Admitted, PublicError> {
    let spec = &submission.spec;
    // A project without rules has none that allows anything special.
    let nothing_said = OverridePolicy::default();
    let policy = rules
        .project
        .map_or(&nothing_said, |project| &project.policy);
    check_policy(spec, policy)?;
    for architecture in architectures_to_try(spec) {
        if let Some(launch) = complete(spec, rules, architecture)? {
            check_size(submission, &launch)?;
        }
    }
    let of_all_clusters = Rules {
        strategy: rules.strategy,
        project: rules.project,
        ..Rules::default()
    };
    let queue = resolve::queue(spec, of_all_clusters)
        .ok_or_else(|| NotResolved::Missing(vec!["spec.queue"]))?;
    let terms = Terms::under(spec, of_all_clusters);
    Ok(Admitted {
        queue,
        terms: (terms != Terms::own(spec)).then_some(terms),
    })
}

/// Whether the rules of some cluster make the request complete. Before the first cluster is known,
/// its shuffle profiles are not either.
fn complete(
    spec: &Spec,
    rules: &AdmissionRules<'_>,
    architecture: Option<Architecture>,
) -> Result<Option<LaunchSpec>, NotResolved> {
    let under = |cluster: Option<&Cluster>| {
        let rules = Rules {
            strategy: rules.strategy,
            project: rules.project,
            cluster,
            architecture,
        };
        resolve(spec, rules).map(Some)
    };
    if rules.clusters.is_empty() {
        return match under(None) {
            Err(NotResolved::NoShuffleProfile(_)) => Ok(None),
            resolved => resolved,
        };
    }
    let mut answers = rules.clusters.iter().map(|cluster| under(Some(cluster)));
    let first = answers.next().unwrap_or(Ok(None));
    // The first cluster that completes it is enough; the others are not looked at.
    first.or_else(|error| answers.find(Result::is_ok).unwrap_or(Err(error)))
}

#[cfg(test)]
mod tests;
