//! The record of an application: its legal hold and its deletions. It changes by conditional puts,
//! so that of a hold and a deletion that come together one is first, for all replicas.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moka_core::ApplicationId;
use serde::{Deserialize, Serialize};

use super::LogKind;

/// Who asked for what the policy deletes.
pub const DELETED_BY_POLICY: &str = "policy";
/// The policy under which a caller's request is carried out.
pub const REQUEST: &str = "request";
/// So many changes of the legal hold are kept.
pub const MAX_HOLD_CHANGES: usize = 100;

/// No application has as many batches, objects or bytes: a record that says so is damaged, and
/// could not be counted on from.
const MAX_BATCHES: u32 = 1 << 30;
const MAX_TOTAL: u64 = 1 << 62;

/// A legal hold was set or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldChange {
    /// Whether it was set.
    pub held: bool,
    /// Who did it.
    pub changed_by: String,
    /// Why.
    pub reason: String,
    /// When, by the store's clock.
    pub time: Timestamp,
}

/// How far a deletion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionState {
    /// Wanted, and announced.
    Planned,
    /// Going on.
    Deleting,
    /// Nothing was left.
    Deleted,
}

/// On whose word something is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The rule of the policy, or [`REQUEST`].
    pub policy: String,
    /// Who asked, or [`DELETED_BY_POLICY`].
    pub requested_by: String,
    /// Why; empty when the policy says so.
    pub reason: String,
}

/// The deletion of a kind of logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// How far it is.
    pub state: DeletionState,
    /// On whose word.
    #[serde(flatten)]
    pub request: Request,
    /// When it was planned, by the store's clock, like all of these times.
    pub planned: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When nothing was left.
    pub deleted: Option<Timestamp>,
    /// Batches that were begun. All but the last one are deleted.
    pub batch_count: u32,
    /// Batches of which is known that all are deleted.
    pub done_batch_count: u32,
    /// Objects in them.
    pub object_count: u64,
    /// Bytes in them.
    pub object_bytes: u64,
}

/// What the store has of an application besides its logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRecord {
    /// The application.
    pub application_id: String,
    /// How the legal hold changed; the last one holds.
    pub holds: Vec<HoldChange>,
    /// Deletions by kind.
    pub deletions: BTreeMap<LogKind, Deletion>,
}

/// An object that is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenObject {
    /// Its key.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its version.
    pub etag: String,
    /// When it was put.
    pub modified: Timestamp,
}

/// The proof of a batch: written before its objects are deleted, and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The application.
    pub application_id: String,
    /// The kind.
    pub kind: LogKind,
    /// Counts the batches of the kind, from 1.
    pub number: u32,
    /// On whose word.
    #[serde(flatten)]
    pub request: Request,
    /// The objects.
    pub objects: Vec<ProvenObject>,
}

impl Batch {
    /// Bytes of its objects.
    pub fn size_bytes(&self) -> u64 {
        let sizes = self.objects.iter().map(|object| object.size_bytes);
        // What is read back may be damaged.
        sizes.fold(0, u64::saturating_add)
    }
}

impl RetentionRecord {
    /// Nothing held and nothing deleted.
    pub fn new(id: ApplicationId) -> Self {
        Self {
            application_id: id.to_string(),
            holds: Vec::new(),
            deletions: BTreeMap::new(),
        }
    }

    /// Whether its numbers can be those of deletions.
    pub fn is_possible(&self) -> bool {
        self.deletions.values().all(|deletion| {
            deletion.done_batch_count <= deletion.batch_count
                && deletion.batch_count <= MAX_BATCHES
                && deletion.object_count <= MAX_TOTAL
                && deletion.object_bytes <= MAX_TOTAL
        })
    }

    /// Whether nothing may be deleted.
    pub fn is_held(&self) -> bool {
        self.holds.last().is_some_and(|change| change.held)
    }

    /// How far the deletion of a kind is.
    pub fn state(&self, kind: LogKind) -> Option<DeletionState> {
        self.deletions.get(&kind).map(|deletion| deletion.state)
    }

    /// Whether the logs of a kind are not served any more.
    pub fn is_deleted(&self, kind: LogKind) -> bool {
        self.deletions
            .get(&kind)
            .is_some_and(|deletion| deletion.started.is_some())
    }

    /// When the oldest deletion began that goes on; `None` while a hold keeps it back.
    pub fn oldest_unfinished(&self) -> Option<Timestamp> {
        let unfinished = self
            .deletions
            .values()
            .filter(|deletion| deletion.state == DeletionState::Deleting && !self.is_held());
        unfinished.filter_map(|deletion| deletion.started).min()
    }

    /// Sets or lifts the hold; one that is as it should be stays. What was only announced is not
    /// any more.
    pub fn set_hold(&mut self, change: HoldChange) {
        if self.is_held() == change.held {
            return;
        }
        self.deletions
            .retain(|_, deletion| deletion.state != DeletionState::Planned);
        self.holds.push(change);
        if self.holds.len() > MAX_HOLD_CHANGES {
            self.holds.remove(0);
        }
    }

    /// Announces a deletion.
    pub fn plan(&mut self, kind: LogKind, request: Request, now: Timestamp) {
        self.deletions.entry(kind).or_insert(Deletion {
            state: DeletionState::Planned,
            request,
            planned: now,
            started: None,
            deleted: None,
            batch_count: 0,
            done_batch_count: 0,
            object_count: 0,
            object_bytes: 0,
        });
    }

    /// Takes an announcement back.
    pub fn withdraw(&mut self, kind: LogKind) {
        if self.state(kind) == Some(DeletionState::Planned) {
            self.deletions.remove(&kind);
        }
    }

    /// Begins a deletion that was announced.
    pub fn start(&mut self, kind: LogKind, now: Timestamp) {
        if let Some(deletion) = self.planned(kind) {
            deletion.state = DeletionState::Deleting;
            deletion.started = Some(now);
        }
    }

    /// Begins a deletion at once on a caller's word; one that goes on or is over stays as it is.
    pub fn start_on_request(&mut self, kind: LogKind, request: Request, now: Timestamp) {
        self.withdraw(kind);
        self.plan(kind, request, now);
        self.start(kind, now);
    }

    /// Goes on with a deletion that was over: objects came late.
    pub fn reopen(&mut self, kind: LogKind) {
        if let Some(deletion) = self.deletions.get_mut(&kind)
            && deletion.state == DeletionState::Deleted
        {
            deletion.state = DeletionState::Deleting;
        }
    }

    /// Takes note of a batch before its objects are deleted; that of a batch before, or of one that
    /// another replica noted, is taken only once.
    pub fn open(&mut self, batch: &Batch) {
        if let Some(deletion) = self.deletions.get_mut(&batch.kind)
            && deletion.batch_count + 1 == batch.number
        {
            deletion.batch_count = batch.number;
            deletion.object_count += batch.objects.len() as u64;
            deletion.object_bytes = deletion.object_bytes.saturating_add(batch.size_bytes());
        }
    }

    /// Ends a deletion after so many batches.
    pub fn finish(&mut self, kind: LogKind, batch_count: u32, now: Timestamp) {
        if let Some(deletion) = self.deletions.get_mut(&kind)
            && (deletion.state, deletion.batch_count) == (DeletionState::Deleting, batch_count)
        {
            deletion.state = DeletionState::Deleted;
            deletion.done_batch_count = batch_count;
            deletion.deleted = Some(now);
        }
    }

    fn planned(&mut self, kind: LogKind) -> Option<&mut Deletion> {
        self.deletions
            .get_mut(&kind)
            .filter(|deletion| deletion.state == DeletionState::Planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: LogKind = LogKind::Containers;

    fn record() -> RetentionRecord {
        RetentionRecord::new("m01hf7yat00v2t9d4h5w8k3e6qz".parse().unwrap())
    }

    fn request(policy: &str) -> Request {
        Request {
            policy: policy.to_owned(),
            requested_by: "ann".to_owned(),
            reason: String::new(),
        }
    }

    fn batch(number: u32) -> Batch {
        let object = ProvenObject {
            key: "a".to_owned(),
            size_bytes: 7,
            etag: "1".to_owned(),
            modified: Timestamp::UNIX_EPOCH,
        };
        Batch {
            application_id: record().application_id,
            kind: KIND,
            number,
            request: request("p"),
            objects: vec![object],
        }
    }

    #[test]
    fn numbers_at_the_limit_are_possible_and_those_past_it_are_not() {
        let of = |batch_count, done_batch_count, object_count, object_bytes| {
            let mut record = record();
            record.plan(KIND, request("p"), Timestamp::UNIX_EPOCH);
            let deletion = record.deletions.get_mut(&KIND).unwrap();
            deletion.batch_count = batch_count;
            deletion.done_batch_count = done_batch_count;
            deletion.object_count = object_count;
            deletion.object_bytes = object_bytes;
            record
        };
        let (batches, total) = (1_073_741_824, 4_611_686_018_427_387_904);
        let mut limit = of(batches, batches, total, total);
        assert!(limit.is_possible());
        let mut next = batch(batches + 1);
        next.objects[0].size_bytes = u64::MAX;
        next.objects.extend(next.objects.clone());
        limit.open(&next);
        assert!(!limit.is_possible());
        for past in [
            of(batches + 1, 0, 0, 0),
            of(1, 2, 0, 0),
            of(1, 0, total + 1, 0),
            of(1, 0, 0, total + 1),
        ] {
            assert!(!past.is_possible(), "{past:?}");
        }
    }

    #[test]
    fn each_step_is_taken_once() {
        let now = Timestamp::UNIX_EPOCH;
        let mut record = record();
        record.start(KIND, now);
        assert_eq!(record.state(KIND), None);
        record.plan(KIND, request("p"), now);
        record.plan(KIND, request("other"), now);
        assert_eq!(record.deletions[&KIND].request.policy, "p");
        assert!(!record.is_deleted(KIND));
        record.start(KIND, now);
        record.withdraw(KIND);
        record.start_on_request(KIND, request("other"), now);
        assert_eq!(record.state(KIND), Some(DeletionState::Deleting));
        assert!(record.is_deleted(KIND));
        for number in [1, 1, 3, 2, 2, 1] {
            record.open(&batch(number));
        }
        let deletion = &record.deletions[&KIND];
        assert_eq!(
            (
                deletion.batch_count,
                deletion.object_count,
                deletion.object_bytes
            ),
            (2, 2, 14)
        );
        record.finish(KIND, 1, now);
        assert_eq!(record.state(KIND), Some(DeletionState::Deleting));
        record.finish(KIND, 2, now);
        assert_eq!(record.state(KIND), Some(DeletionState::Deleted));
        record.reopen(KIND);
        assert_eq!(record.state(KIND), Some(DeletionState::Deleting));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            serde_json::from_str::<RetentionRecord>(&json).unwrap(),
            record
        );
    }

    #[test]
    fn hold_keeps_its_last_changes() {
        let mut record = record();
        for number in 0..=MAX_HOLD_CHANGES {
            let change = HoldChange {
                held: number % 2 == 0,
                changed_by: number.to_string(),
                reason: String::new(),
                time: Timestamp::UNIX_EPOCH,
            };
            record.set_hold(change.clone());
            record.set_hold(change);
        }
        assert!(record.is_held());
        assert_eq!(record.holds.len(), MAX_HOLD_CHANGES);
        assert_eq!(record.holds[0].changed_by, "1");
    }
}
