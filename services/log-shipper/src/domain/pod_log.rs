//! Names below the kubelet's directory of pod logs.

use moka_core::AttemptName;

use super::Source;

/// What `<namespace>_<pod>_<uid>/<container>/<restart>.log` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLogName {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid; for a static pod the hash of its manifest.
    pub uid: String,
    /// The container's name.
    pub container: String,
    /// How often the container was started before.
    pub restart: u32,
    /// Whether the kubelet has put the file aside (`0.log.20261121-030405`). It gets no more lines
    /// once the runtime has opened its successor.
    pub rotated: bool,
}

impl PodLogName {
    /// Reads the three names. `None` for whatever else lies there: compressed rotations, and
    /// directories that the kubelet did not make.
    pub fn parse(pod_directory: &str, container: &str, file: &str) -> Option<Self> {
        // Neither namespaces, pods nor uids have an underscore.
        let mut parts = pod_directory.split('_');
        let (namespace, pod, uid) = (parts.next()?, parts.next()?, parts.next()?);
        let names = [namespace, pod, uid, container];
        if parts.next().is_some() || !names.into_iter().all(is_dns_name) {
            return None;
        }
        let (restart, rest) = file.split_once(".log")?;
        let rotated = match rest.strip_prefix('.') {
            Some(stamp) if is_rotation_stamp(stamp) => true,
            None if rest.is_empty() => false,
            _ => return None,
        };
        Some(Self {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            uid: uid.to_owned(),
            container: container.to_owned(),
            restart: parse_restart(restart)?,
            rotated,
        })
    }

    /// Whether the kubelet makes such a file of one that it has put aside: compressed, or about to
    /// be. It holds nothing that was not read before.
    pub fn is_copy(file: &str) -> bool {
        let rotated = file
            .strip_suffix(".gz")
            .or_else(|| file.strip_suffix(".tmp"));
        let stamp = rotated.and_then(|file| file.split_once(".log."));
        stamp.is_some_and(|(restart, stamp)| {
            parse_restart(restart).is_some() && is_rotation_stamp(stamp)
        })
    }

    /// Whose log it is: an attempt's when the pod's name says so.
    pub fn source(&self) -> Source {
        match AttemptName::of_pod(&self.pod) {
            Some(attempt) => Source::Container {
                attempt,
                pod: self.pod.clone(),
                container: self.container.clone(),
            },
            None => Source::System {
                namespace: self.namespace.clone(),
                pod: self.pod.clone(),
                container: self.container.clone(),
            },
        }
    }

    /// The path below the directory that the file was written under, whatever it is called now: the
    /// path that records carry, so that a rotation changes no stream's name.
    pub fn written_path(&self) -> String {
        let Self {
            namespace,
            pod,
            uid,
            container,
            restart,
            rotated: _,
        } = self;
        format!("{namespace}_{pod}_{uid}/{container}/{restart}.log")
    }
}

fn is_dns_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (1..=253).contains(&text.len()) && text.chars().all(legal) && !text.starts_with(['.', '-'])
}

/// `yyyymmdd-hhmmss`, as the kubelet writes it.
fn is_rotation_stamp(text: &str) -> bool {
    text.len() == 15
        && text.bytes().enumerate().all(|(position, byte)| {
            if position == 8 {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
}

/// A number without sign or leading zero, so that each file has one name only.
fn parse_restart(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::SourceKind;

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    #[test]
    fn only_the_kubelets_names_are_read() {
        for (directory, container, file, expected) in [
            ("ns_pod_0a-1", "main", "0.log", Some((0, false))),
            ("ns_pod_0a-1", "main", "12.log", Some((12, false))),
            (
                "ns_pod_0a-1",
                "main",
                "0.log.20261121-030405",
                Some((0, true)),
            ),
            ("ns_pod_0a-1", "main", "0.log.20261121-030405.gz", None),
            ("ns_pod_0a-1", "main", "0.log.20261121-030405.tmp", None),
            ("ns_pod_0a-1", "main", "0.log.gz", None),
            ("ns_pod_0a-1", "main", "00.log", None),
            ("ns_pod_0a-1", "main", "+1.log", None),
            ("ns_pod_0a-1", "main", "0.logx", None),
            ("ns_pod_0a-1", "main", "0", None),
            ("ns_pod", "main", "0.log", None),
            ("ns_pod_uid_more", "main", "0.log", None),
            ("ns__uid", "main", "0.log", None),
            ("ns_.._uid", "main", "0.log", None),
            ("ns_pod_uid", "..", "0.log", None),
            ("ns_Pod_uid", "main", "0.log", None),
        ] {
            let parsed = PodLogName::parse(directory, container, file);
            let facts = parsed.map(|name| (name.restart, name.rotated));
            assert_eq!(facts, expected, "{directory}/{container}/{file}");
        }
    }

    #[test]
    fn pod_name_decides_whose_log_it_is() {
        let executor = format!("spark-jobs_{ID}-1-exec-2_0a-1");
        let name = PodLogName::parse(&executor, "spark-kubernetes-executor", "0.log").unwrap();
        assert_eq!(name.source().kind(), SourceKind::Container);
        let name = PodLogName::parse("kube-system_etcd-node_0a1", "etcd", "3.log").unwrap();
        assert_eq!(name.source().kind(), SourceKind::System);
    }

    #[test]
    fn rotation_keeps_the_path() {
        let before = PodLogName::parse("a_b_c", "d", "1.log").unwrap();
        let after = PodLogName::parse("a_b_c", "d", "1.log.20261121-030405").unwrap();
        assert_eq!(before.written_path(), "a_b_c/d/1.log");
        assert_eq!(before.written_path(), after.written_path());
    }

    proptest! {
        #[test]
        fn any_names_are_refused_or_written_back(
            directory in "[a-z0-9._-]{0,12}_[a-z0-9._-]{0,12}_[a-z0-9._-]{0,12}",
            container in "[a-z0-9._/-]{0,8}",
            file in "[0-9]{0,3}(\\.log)?[0-9.a-z-]{0,18}",
        ) {
            if let Some(name) = PodLogName::parse(&directory, &container, &file) {
                let path = name.written_path();
                let seen = format!("{directory}/{container}/{file}");
                prop_assert!(seen.starts_with(&path), "{} {}", seen, path);
                prop_assert_eq!(name.rotated, seen != path);
            }
        }
    }
}
