//! The commands of `docs/api.md` show every call.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorSet;

const DOCUMENT: &str = "docs/api.md";
const PACKAGE: &str = "moka.submission.v1";

/// `moka.submission.v1.SubmissionService/GetApplication` and its like.
fn every_call() -> BTreeSet<String> {
    let descriptors = FileDescriptorSet::decode(moka_proto::DESCRIPTORS).unwrap();
    let files = descriptors
        .file
        .iter()
        .filter(|file| file.package() == PACKAGE);
    let services = files.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            let calls = service.method.iter();
            calls.map(|call| format!("{PACKAGE}.{}/{}", service.name(), call.name()))
        })
        .collect()
}

fn commands() -> Vec<String> {
    let file = moka_xtask::workspace::root().join(DOCUMENT);
    let text = std::fs::read_to_string(file).unwrap();
    let commands = text.lines().filter(|line| line.starts_with("grpcurl "));
    commands.map(str::to_owned).collect()
}

#[test]
fn every_call_has_an_example() {
    let shown: BTreeSet<_> = commands()
        .iter()
        .filter_map(|command| Some(command.split_whitespace().next_back()?.to_owned()))
        .collect();
    let missing: Vec<_> = every_call().difference(&shown).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
}
