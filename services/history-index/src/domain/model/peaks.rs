//! Peaks of an executor's memory.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

/// The metrics that Spark 4.3 knows, in its order; logs of other releases have fewer.
const NAMES: [&str; 23] = [
    "JVMHeapMemory",
    "JVMOffHeapMemory",
    "OnHeapExecutionMemory",
    "OffHeapExecutionMemory",
    "OnHeapStorageMemory",
    "OffHeapStorageMemory",
    "OnHeapUnifiedMemory",
    "OffHeapUnifiedMemory",
    "DirectPoolMemory",
    "MappedPoolMemory",
    "ProcessTreeJVMVMemory",
    "ProcessTreeJVMRSSMemory",
    "ProcessTreePythonVMemory",
    "ProcessTreePythonRSSMemory",
    "ProcessTreeOtherVMemory",
    "ProcessTreeOtherRSSMemory",
    "MinorGCCount",
    "MinorGCTime",
    "MajorGCCount",
    "MajorGCTime",
    "TotalGCTime",
    "ConcurrentGCCount",
    "ConcurrentGCTime",
];
const TOTAL_GC_TIME: usize = 20;

/// The largest value seen of each metric, in bytes, milliseconds or times. What a log does not name
/// is 0, and names that Spark 4.3 does not know are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakMetrics([i64; NAMES.len()]);

impl PeakMetrics {
    /// Keeps the larger value of each metric.
    pub fn raise_to(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
    }

    /// Whether anything was measured: Spark marks what was not with a negative first value.
    pub fn is_set(&self) -> bool {
        self.0[0] >= 0
    }

    /// Time of garbage collections, in milliseconds.
    pub fn total_gc_time(&self) -> i64 {
        self.0[TOTAL_GC_TIME]
    }
}

impl Serialize for PeakMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(NAMES.len()))?;
        for (name, value) in NAMES.iter().zip(self.0) {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for PeakMetrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PeakVisitor)
    }
}

struct PeakVisitor;

impl<'de> Visitor<'de> for PeakVisitor {
    type Value = PeakMetrics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("executor metrics by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PeakMetrics, A::Error> {
        let mut values = [0; NAMES.len()];
        let mut expected = 0;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            // Logs have the names in this order, so the next one is nearly always right.
            let found = (NAMES.get(expected) == Some(&&*name))
                .then_some(expected)
                .or_else(|| NAMES.iter().position(|known| *known == name));
            match found {
                Some(position) => {
                    values[position] = map.next_value()?;
                    expected = position + 1;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(PeakMetrics(values))
    }
}
