//! Fluent Bit's configuration: what loses no line is set, keys are those of docs/raw-records.md,
//! and the Lua of its filter does what it says. Patterns are run by Oniguruma, of which Fluent
//! Bit's Onigmo is a branch, and Lua by `LuaJIT` 2.1, which is Fluent Bit's.

mod keys;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::objects;

const FOLDER: &str = "platform/fluent-bit";

/// One part of the configuration: its kind and its properties, the last of equal names.
struct Section {
    kind: String,
    properties: BTreeMap<String, String>,
}

impl Section {
    fn get(&self, property: &str) -> &str {
        self.properties.get(property).map_or("", String::as_str)
    }
}

/// A file of the rendered ConfigMap.
fn file(name: &str) -> String {
    let map = objects(FOLDER)
        .into_iter()
        .find(|object| object["kind"] == "ConfigMap" && object["data"][name].is_string())
        .expect("a ConfigMap has the file");
    map["data"][name].as_str().unwrap_or_default().to_owned()
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in file("fluent-bit.conf").lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(kind) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            sections.push(Section {
                kind: kind.to_owned(),
                properties: BTreeMap::new(),
            });
            continue;
        }
        let (name, value) = line.split_once(' ').expect("a property has a value");
        let section = sections.last_mut().expect("a property is in a section");
        section.properties.insert(name.to_owned(), value.to_owned());
    }
    sections
}

fn of_kind(kind: &str) -> Vec<Section> {
    let mut sections = sections();
    sections.retain(|section| section.kind == kind);
    sections
}

/// The values of a property, which must all be there and differ.
fn distinct<'a>(sections: impl IntoIterator<Item = &'a Section>, property: &str) {
    let mut seen = BTreeSet::new();
    for section in sections {
        let value = section.get(property);
        assert!(
            !value.is_empty(),
            "{} {} has no {property}",
            section.kind,
            section.get("name")
        );
        assert!(seen.insert(value.to_owned()), "two have {property} {value}");
    }
}

#[test]
fn every_plugin_has_a_name_of_its_own() {
    let sections = sections();
    distinct(
        sections.iter().filter(|section| section.kind != "SERVICE"),
        "alias",
    );
    assert_eq!(
        sections.len(),
        1 + 3 + 2 + 4,
        "service, inputs, filters, outputs"
    );
}

#[test]
fn tails_ship_lines_as_they_stand_and_remember_where_they_are() {
    let inputs = of_kind("INPUT");
    distinct(&inputs, "db");
    for input in &inputs {
        for (property, expected) in [
            ("name", "tail"),
            ("read_from_head", "on"),
            ("path_key", "path"),
            ("offset_key", "offset"),
            ("key", "log"),
            // Spark writes lines that are longer than the 32 kB of the defaults.
            ("buffer_chunk_size", "1M"),
            ("buffer_max_size", "16M"),
            ("storage.type", "filesystem"),
            ("db.sync", "full"),
        ] {
            assert_eq!(
                input.get(property),
                expected,
                "{} of {}",
                property,
                input.get("alias")
            );
        }
        // Their offsets are not those of lines, or they drop lines.
        for property in [
            "parser",
            "multiline",
            "multiline.parser",
            "docker_mode",
            "skip_long_lines",
        ] {
            assert_eq!(
                input.get(property),
                "",
                "{property} of {}",
                input.get("alias")
            );
        }
    }
}

#[test]
fn outputs_keep_what_the_store_does_not_take() {
    let outputs = of_kind("OUTPUT");
    distinct(&outputs, "store_dir");
    for output in &outputs {
        assert_eq!(output.get("name"), "s3");
        assert_eq!(output.get("retry_exhausted_action"), "quarantine");
        assert!(output.get("retry_limit").parse::<u32>().unwrap_or_default() > 1000);
        assert_eq!(
            output.get("use_put_object"),
            "on",
            "objects are whole or not there"
        );
        // Without it keys are used again, and objects overwritten.
        assert!(output.get("s3_key_format").contains("$UUID"));
        assert!(!output.get("s3_key_format").contains("$INDEX"));
        assert_eq!(output.get("log_key"), "", "records are JSON");
    }
}

#[test]
fn there_is_time_to_ship_what_is_in_hand() {
    let service = &of_kind("SERVICE")[0];
    let grace: u64 = service.get("grace").parse().expect("a number");
    assert!(grace >= 30);
    let daemon_set = objects(FOLDER)
        .into_iter()
        .find(|object| object["kind"] == "DaemonSet")
        .expect("a DaemonSet");
    let pod = &daemon_set["spec"]["template"]["spec"];
    let seconds = pod["terminationGracePeriodSeconds"].as_u64();
    assert!(
        seconds > Some(grace),
        "{seconds:?} s of the pod, {grace} s of Fluent Bit"
    );
    mounted(pod, service.get("storage.path"));
    for section in sections() {
        for property in ["db", "store_dir"] {
            mounted(pod, section.get(property));
        }
    }
}

/// What must survive the pod is on the node.
fn mounted(pod: &Value, path: &str) {
    let mounts = pod["containers"][0]["volumeMounts"]
        .as_array()
        .expect("mounts");
    let is_kept = mounts.iter().any(|mount| {
        let below = mount["mountPath"]
            .as_str()
            .is_some_and(|folder| path.starts_with(folder));
        below && mount["name"] == "state"
    });
    assert!(path.is_empty() || is_kept, "{path} is not on the node");
}
