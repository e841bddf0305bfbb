//! How large a document may be.

use std::collections::BTreeMap;

use moka_core::{ApplicationId, AttemptName, ErrorReason, PublicError};

use super::{
    super::{
        application::Placement,
        launch_spec::LaunchSpec,
        spec::{PodSpec, VolumeSource},
        submission::Submission,
    },
    Launch, ManifestSettings, document,
};

/// A document's JSON may have so many bytes. etcd takes 1.5 MiB, of which the rest is for the
/// operator's status and for the API server's own notes on who set which field.
pub const MOST_BYTES: usize = 1024 * 1024;
/// What a place, the platform's settings and a sidecar may add.
pub const ALLOWANCE_BYTES: usize = 64 * 1024;

/// Checks that the document of an attempt will be small enough wherever it is placed.
///
/// # Errors
///
/// `INVALID_FIELD`, naming the whole spec.
pub fn check_size(submission: &Submission, spec: &LaunchSpec) -> Result<(), PublicError> {
    const MOST: usize = MOST_BYTES - ALLOWANCE_BYTES;
    // Nearly every request is far below, and need not be written down to be measured.
    if bound(submission, spec) <= MOST {
        return Ok(());
    }
    let bytes = bytes(submission, spec);
    if bytes <= MOST {
        return Ok(());
    }
    let rule = format!("must be at most {MOST} bytes as a SparkApplication in JSON, is {bytes}");
    let error = PublicError::new(ErrorReason::InvalidField, "the request is too large");
    Err(error.with_field("spec", rule))
}

/// The document's bytes without what a place, settings and a sidecar add.
fn bytes(submission: &Submission, spec: &LaunchSpec) -> usize {
    let launch = Launch {
        name: AttemptName::new(ApplicationId::ZERO, u32::MAX),
        submission,
        placement: &Placement::default(),
        spec,
    };
    let settings = ManifestSettings {
        service_account: String::new(),
        image_pull_policy: String::new(),
        event_log_host_path: String::new(),
        exporter: None,
    };
    document(&launch, &settings).to_string().len()
}

/// At least as many bytes, found without writing the document: a text stands in both pods at most,
/// and JSON writes a byte with six at most.
fn bound(submission: &Submission, spec: &LaunchSpec) -> usize {
    const FIXED: usize = 32 * 1024;
    const OF_A_TEXT: usize = 256;
    const OF_A_BYTE: usize = 2 * 6;
    let mut texts = Texts::default();
    let request = &submission.spec;
    for text in [
        &spec.image,
        &spec.main_application_file,
        &spec.spark_version,
        &request.owner,
        &request.workflow,
        &request.run,
    ] {
        texts.add(text);
    }
    let maybe = [
        &spec.main_class,
        &spec.service_account,
        &spec.priority_class,
        &spec.live_ui.url_template,
    ];
    texts.all(maybe.into_iter().flatten());
    for list in [&spec.arguments, &spec.sql_statements] {
        texts.all(list);
    }
    for map in [
        &spec.spark_conf,
        &spec.environment,
        &spec.labels,
        &request.tags,
    ] {
        texts.map(map);
    }
    let dependencies = &spec.dependencies;
    for list in [
        &dependencies.jars,
        &dependencies.files,
        &dependencies.py_files,
        &dependencies.archives,
        &dependencies.packages,
        &dependencies.exclude_packages,
        &dependencies.repositories,
    ] {
        texts.all(list);
    }
    for variable in &spec.secret_environment {
        texts.all([&variable.name, &variable.secret, &variable.key]);
    }
    for volume in &spec.volumes {
        // The name is in the volume and in its mount.
        texts.all([&volume.name, &volume.name]);
        texts.all([&volume.mount_path, &volume.sub_path]);
        if let VolumeSource::ConfigMap(text)
        | VolumeSource::Secret(text)
        | VolumeSource::PersistentVolumeClaim(text)
        | VolumeSource::HostPath(text) = &volume.source
        {
            texts.add(text);
        }
    }
    let devices = |pod: &PodSpec| pod.extended_resources.keys().cloned().collect::<Vec<_>>();
    for names in [devices(&spec.driver), devices(&spec.executor.pod)] {
        texts.all(&names);
    }
    FIXED + texts.count * OF_A_TEXT + texts.bytes * OF_A_BYTE
}

/// How many texts there are, and how long they are together.
#[derive(Default)]
struct Texts {
    count: usize,
    bytes: usize,
}

impl Texts {
    fn add(&mut self, text: &str) {
        self.count += 1;
        self.bytes += text.len();
    }

    fn all<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) {
        texts.into_iter().for_each(|text| self.add(text));
    }

    fn map(&mut self, map: &BTreeMap<String, String>) {
        self.all(map.keys());
        self.all(map.values());
    }
}

#[cfg(test)]
mod tests;
