//! The key of one object.

use jiff::{Timestamp, tz::TimeZone};

use super::ClusterName;

/// `<prefix>/<yyyymmddThhmmss>-<cluster>-<unique>.jsonl.zst`. The time is that of the upload, in
/// UTC, and orders nothing; `unique` is 32 hexadecimal digits and never used twice.
pub fn object_key(prefix: &str, now: Timestamp, cluster: &ClusterName, unique: [u8; 16]) -> String {
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S");
    let unique = u128::from_be_bytes(unique);
    format!("{prefix}/{time}-{cluster}-{unique:032x}.jsonl.zst")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_time_cluster_and_a_unique_part() {
        let now = "2026-11-21T03:04:05.678Z".parse().unwrap();
        let cluster = "eu-1".parse().unwrap();
        let key = object_key("system/eu-1/a/b/c", now, &cluster, [0xab; 16]);
        assert_eq!(
            key,
            format!(
                "system/eu-1/a/b/c/20261121T030405-eu-1-{}.jsonl.zst",
                "ab".repeat(16)
            )
        );
    }
}
