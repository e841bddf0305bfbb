//! Which files make up an event log, and in what order.

use super::codec::Codec;

/// Where event logs are in the object store.
pub const ROOT: &str = "eventlogs/";

/// The chunks of one event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// By index.
    pub chunks: Vec<Chunk>,
    /// The status marker is final: no chunk grows, and none is added.
    pub is_finished: bool,
    /// The first index that is missing between two others.
    pub missing_index: Option<u64>,
}

/// One file of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its place in the log.
    pub index: u64,
    /// Its name within the directory.
    pub name: String,
    /// How it is compressed.
    pub codec: Codec,
}

/// Spark's id as it stands in file names.
pub fn sanitised(spark_application_id: &str) -> String {
    let replace = |c: char| match c {
        ' ' | ':' | '/' => '-',
        '.' | '$' | '{' | '}' | '\'' | '"' => '_',
        other => other,
    };
    spark_application_id
        .chars()
        .map(replace)
        .collect::<String>()
        .to_lowercase()
}

/// The directory of a rolling log (v2), with a `/` at its end.
pub fn rolling_directory(spark_application_id: &str) -> String {
    format!("{ROOT}eventlog_v2_{}/", sanitised(spark_application_id))
}

impl Layout {
    /// Reads the names in a rolling log's directory; `None` when they are none, for want of events
    /// or of a status marker. A compacted file stands for all before it.
    pub fn of_rolling<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (mut has_status, mut is_finished) = (false, false);
        let mut chunks = Vec::new();
        for name in names {
            if name.starts_with("appstatus_") {
                has_status = true;
                is_finished |= !name.ends_with(".inprogress");
            } else if let Some(found) = rolling_chunk(name) {
                chunks.push(found);
            }
        }
        chunks.sort_by(|(a, a_compact), (b, b_compact)| {
            (a.index, a_compact, &a.name).cmp(&(b.index, b_compact, &b.name))
        });
        let first = chunks
            .iter()
            .rposition(|(_, is_compact)| *is_compact)
            .unwrap_or(0);
        let chunks: Vec<_> = chunks
            .into_iter()
            .skip(first)
            .map(|(chunk, _)| chunk)
            .collect();
        if chunks.is_empty() || !has_status {
            return None;
        }
        let missing_index = chunks
            .windows(2)
            .find(|pair| pair[1].index > pair[0].index + 1)
            .map(|pair| pair[0].index + 1);
        Some(Self {
            chunks,
            is_finished,
            missing_index,
        })
    }

    /// Finds a single-file log (v1) of the application among `names`; a finished one goes before
    /// one in progress.
    pub fn of_single<'a>(
        spark_application_id: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<Self> {
        let base = sanitised(spark_application_id);
        let mut found = None;
        for name in names {
            let (whole, is_finished) = match name.strip_suffix(".inprogress") {
                Some(whole) => (whole, false),
                None => (name, true),
            };
            let rest = whole.strip_prefix(&base);
            let is_ours = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if is_ours && (found.is_none() || is_finished) {
                let codec = Codec::of_name(whole);
                let chunk = Chunk {
                    index: 1,
                    name: name.to_owned(),
                    codec,
                };
                found = Some(Self {
                    chunks: vec![chunk],
                    is_finished,
                    missing_index: None,
                });
            }
        }
        found
    }

    /// The first codec that cannot be read.
    pub fn unsupported_codec(&self) -> Option<&str> {
        self.chunks.iter().find_map(|chunk| match &chunk.codec {
            Codec::Unsupported(extension) => Some(extension.as_str()),
            Codec::Plain | Codec::Zstd => None,
        })
    }
}

/// `events_<n>_<anything>[.<codec>][.compact]`, and whether it is compacted.
fn rolling_chunk(name: &str) -> Option<(Chunk, bool)> {
    let rest = name.strip_prefix("events_")?;
    let digits = rest.split(['_', '.']).next()?;
    let index = digits.parse().ok().filter(|index| *index < u64::MAX)?;
    let (plain, is_compact) = match name.strip_suffix(".compact") {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let codec = Codec::of_name(plain);
    Some((
        Chunk {
            index,
            name: name.to_owned(),
            codec,
        },
        is_compact,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(names: &[&str], expected: Option<(&[u64], bool, Option<u64>)>) {
        let found = Layout::of_rolling(names.iter().copied());
        let found = found.as_ref().map(|layout| {
            let indices: Vec<_> = layout.chunks.iter().map(|chunk| chunk.index).collect();
            (indices, layout.is_finished, layout.missing_index)
        });
        let expected =
            expected.map(|(indices, finished, missing)| (indices.to_vec(), finished, missing));
        assert_eq!(found, expected, "{names:?}");
    }

    #[test]
    fn rolling_layouts_are_read_as_the_history_server_does() {
        check(
            &["appstatus_a.inprogress", "events_1_a"],
            Some((&[1], false, None)),
        );
        check(
            &["appstatus_a", "events_10_a", "events_9_a"],
            Some((&[9, 10], true, None)),
        );
        check(
            &["appstatus_a", "appstatus_a.inprogress", "events_1"],
            Some((&[1], true, None)),
        );
        check(
            &["appstatus_a", "events_1_a", "events_4_a"],
            Some((&[1, 4], true, Some(2))),
        );
        check(&["events_1_a"], None);
        check(
            &[
                "appstatus_a",
                "moka_manifest.json",
                "events_x_a",
                ".events_1",
            ],
            None,
        );
        let compacted = [
            "appstatus_a",
            "events_1_a",
            "events_2_a",
            "events_2_a.compact",
            "events_3_a",
        ];
        check(&compacted, Some((&[2, 3], true, None)));
    }

    #[test]
    fn single_files_of_other_applications_are_left_alone() {
        let names = ["local-1.zstd.inprogress", "local-10", "local-1.zstd"];
        let layout = Layout::of_single("local-1", names).unwrap();
        assert_eq!(
            (layout.chunks[0].name.as_str(), layout.is_finished),
            ("local-1.zstd", true)
        );
        assert_eq!(layout.chunks[0].codec, Codec::Zstd);
        let running = Layout::of_single("local-1", ["local-1.inprogress"]).unwrap();
        assert_eq!(
            (running.chunks[0].codec.clone(), running.is_finished),
            (Codec::Plain, false)
        );
        assert_eq!(Layout::of_single("local-2", names), None);
    }

    proptest! {
        #[test]
        fn any_names_are_read(names in proptest::collection::vec("(events_|appstatus_)?[0-9a_.]{0,25}", 0..10)) {
            if let Some(layout) = Layout::of_rolling(names.iter().map(String::as_str)) {
                prop_assert!(layout.chunks.is_sorted_by_key(|chunk| chunk.index));
            }
        }
    }

    #[test]
    fn ids_are_sanitised_as_spark_does() {
        assert_eq!(sanitised("spark-1a2b"), "spark-1a2b");
        assert_eq!(sanitised("App:1/x y.z${a}'\""), "app-1-x-y_z__a___");
    }
}
