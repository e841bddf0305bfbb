//! From the wire's spec to a checked one. The limits are those that the protos state.

mod dependencies;
mod dynamic_allocation;
mod labels;
mod pods;
mod program;
mod scheduling;
mod settings;
mod text;
mod volumes;

use moka_proto::submission::v1::ApplicationSpec;
use moka_rpc::Violations;

// What the rules of clusters, projects and workflows have in common with a spec.
pub(in crate::domain) use self::{
    labels::labels,
    pods::{Instances, driver, executor},
    program::spark_version,
    scheduling::{DEADLINE_SECONDS, architectures, deadlines, seconds, tier},
    settings::{environment, name_of_setting, settings},
    text::{
        at_most, distinct, dns_name, entry, is_clean_absolute_path, is_identifier, printable, url,
        word, word_or_nothing,
    },
};
use super::Spec;
pub(in crate::domain) use super::retry_request::parse as retry;

pub(in crate::domain) const IMAGE_BYTES: usize = 1024;
pub(in crate::domain) const QUEUE_BYTES: usize = 1024;
pub(in crate::domain) const IDENTITY_BYTES: usize = 128;

/// Checks a spec. Adds what is wrong to `violations`; the result is `None` only when something is.
pub fn parse(violations: &mut Violations, spec: &ApplicationSpec) -> Option<Spec> {
    let v = violations;
    let program = program::parse(v, spec);
    word_or_nothing(v, "spec.image", &spec.image, IMAGE_BYTES);
    let image_by_architecture = scheduling::images(v, &spec.image_by_architecture);
    settings(v, "spec.spark_conf", &spec.spark_conf);
    environment(v, "spec.environment", &spec.environment);
    let secret_environment = settings::secrets(v, spec);
    let dependencies = dependencies::parse(v, spec.dependencies.as_ref());
    let dynamic_allocation = dynamic_allocation::parse(v, spec.dynamic_allocation.as_ref());
    let driver = (spec.driver.as_ref()).map(|pod| driver(v, "spec.driver", pod));
    let instances = if spec.dynamic_allocation.is_some() {
        Instances::Dynamic
    } else {
        Instances::Fixed
    };
    let executor =
        (spec.executor.as_ref()).map(|pods| executor(v, "spec.executor", pods, instances));
    word_or_nothing(v, "spec.queue", &spec.queue, QUEUE_BYTES);
    let volumes = volumes::parse(v, &spec.volumes);
    if !spec.service_account.is_empty() {
        dns_name(v, "spec.service_account", &spec.service_account);
    }
    let architectures = architectures(v, "spec.architectures", &spec.architectures);
    if !spec.shuffle_profile.is_empty() {
        v.dns_label("spec.shuffle_profile", &spec.shuffle_profile);
    }
    labels::tags(v, &spec.tags);
    labels(v, "spec.labels", &spec.labels);
    for (field, text) in [
        ("spec.owner", &spec.owner),
        ("spec.workflow", &spec.workflow),
        ("spec.run", &spec.run),
    ] {
        printable(v, field, text, IDENTITY_BYTES);
    }
    let tier = tier(v, "spec.tier", spec.tier);
    let deadlines = deadlines(v, "spec.deadlines", spec.deadlines.as_ref());
    let retry = (spec.retry.as_ref()).map(|policy| retry(v, "spec.retry", policy));
    let program = program?;
    Some(Spec {
        language: program.language,
        image: spec.image.clone(),
        main_application_file: spec.main_application_file.clone(),
        main_class: program.main_class,
        arguments: spec.arguments.clone(),
        spark_version: spec.spark_version.clone(),
        spark_conf: spec.spark_conf.clone(),
        driver,
        executor,
        queue: spec.queue.clone(),
        environment: spec.environment.clone(),
        sql_statements: spec.sql_statements.clone(),
        dependencies,
        dynamic_allocation,
        secret_environment,
        volumes,
        service_account: spec.service_account.clone(),
        architectures,
        image_by_architecture,
        shuffle_profile: spec.shuffle_profile.clone(),
        tags: spec.tags.clone(),
        labels: spec.labels.clone(),
        owner: spec.owner.clone(),
        workflow: spec.workflow.clone(),
        run: spec.run.clone(),
        tier,
        deadlines,
        retry,
    })
}

#[cfg(test)]
mod documentation;
#[cfg(test)]
mod tests;
