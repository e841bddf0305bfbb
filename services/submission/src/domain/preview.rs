//! What would become of a request that is not accepted.

use moka_core::ApplicationId;

use super::{
    application::{Application, Placement},
    launch_spec::{LaunchSpec, RetryPolicy},
    lifecycle::{Happening, apply},
    spec::{RetryRequest, Spec},
    submission::Submission,
};

/// The application that a request would make, with an id of zeros and times at the epoch.
pub fn application(submission: Submission) -> Application {
    Application::accepted(zero_id(), submission, jiff::Timestamp::UNIX_EPOCH)
}

/// The same with its first attempt placed.
pub fn placed(
    mut application: Application,
    placement: Placement,
    launch: LaunchSpec,
) -> Application {
    let happening = Happening::Placed {
        attempt_number: 1,
        placement,
        launch: Box::new(launch),
    };
    apply(&mut application, &happening, jiff::Timestamp::UNIX_EPOCH);
    application
}

/// A request with every default filled in, in the words of a request.
pub fn filled(spec: Spec, launch: LaunchSpec) -> Spec {
    let LaunchSpec {
        image,
        spark_version,
        spark_conf,
        driver,
        executor,
        queue,
        environment,
        service_account,
        architecture,
        shuffle_profile,
        labels,
        tier,
        deadlines,
        retry,
        ..
    } = launch;
    Spec {
        image,
        spark_version,
        spark_conf,
        driver: Some(driver),
        executor: Some(executor),
        queue,
        environment,
        service_account: service_account.unwrap_or_default(),
        architectures: architecture.map_or(spec.architectures, |one| vec![one]),
        shuffle_profile: shuffle_profile.unwrap_or_default(),
        labels,
        tier: Some(tier),
        deadlines,
        retry: Some(in_words_of_a_request(retry)),
        ..spec
    }
}

fn in_words_of_a_request(policy: RetryPolicy) -> RetryRequest {
    RetryRequest {
        max_attempts: policy.max_attempts,
        categories: policy.categories,
        initial_backoff_seconds: Some(policy.initial_backoff_seconds),
        max_backoff_seconds: Some(policy.max_backoff_seconds),
        memory_growth_percent: policy.memory_growth_percent,
        max_memory_bytes: policy.max_memory_bytes,
    }
}

fn zero_id() -> ApplicationId {
    let zeros = "0".repeat(ApplicationId::LENGTH - 1);
    format!("m{zeros}")
        .parse()
        .expect("zeros are digits of an id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        resolve::{Rules, resolve},
        submission::tests::submission,
    };

    #[test]
    fn what_is_filled_in_is_complete_and_resolves_to_itself() {
        let spec = submission().spec;
        let launch = resolve(&spec, Rules::default()).unwrap();
        let filled = filled(spec, launch.clone());
        assert_eq!(resolve(&filled, Rules::default()).unwrap(), launch);
    }

    #[test]
    fn the_id_is_an_m_and_zeros() {
        let id = application(submission()).id.to_string();
        assert_eq!(id.trim_end_matches('0'), "m");
        assert_eq!(id.len(), ApplicationId::LENGTH);
    }
}
