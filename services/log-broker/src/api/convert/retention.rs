//! Retention in its wire form.

use moka_proto::logs::v1::{
    DeletedObject, LegalHoldChange, ListDeletedObjectsResponse, LogDeletion, LogDeletionState,
    LogKind as WireKind, Retention, RetentionPeriod,
};
use moka_rpc::{Page, timestamp::to_proto};

use super::signed;
use crate::{
    domain::retention::{Deletion, DeletionState, HoldChange, LogKind, Request},
    retention::{ProofEntry, RetentionView},
};

pub(in crate::api) fn retention(view: RetentionView) -> Retention {
    let RetentionView { record, periods } = view;
    let deletions = record.deletions.iter();
    Retention {
        held: record.is_held(),
        deletions: deletions
            .map(|(kind, found)| deletion(*kind, found))
            .collect(),
        application_id: record.application_id,
        hold_changes: record.holds.into_iter().map(hold_change).collect(),
        periods: periods
            .into_iter()
            .map(|(kind, keep)| RetentionPeriod {
                kind: wire(kind).into(),
                days: i32::try_from(keep.days).unwrap_or(i32::MAX),
                policy: keep.policy,
            })
            .collect(),
    }
}

pub(in crate::api) fn deleted_objects(
    entries: Vec<ProofEntry>,
    more: bool,
    page: &Page,
) -> ListDeletedObjectsResponse {
    let next_page_token = match entries.last() {
        Some(last) if more => page.token_after(&last.position),
        _ => String::new(),
    };
    ListDeletedObjectsResponse {
        objects: entries.into_iter().map(deleted_object).collect(),
        next_page_token,
    }
}

fn deleted_object(entry: ProofEntry) -> DeletedObject {
    let ProofEntry {
        object,
        batch,
        recorded,
        position: _,
    } = entry;
    DeletedObject {
        key: object.key,
        kind: wire(batch.kind).into(),
        size_bytes: signed(object.size_bytes),
        etag: object.etag,
        put_time: Some(to_proto(object.modified)),
        record_time: Some(to_proto(recorded)),
        policy: batch.request.policy.clone(),
        requested_by: batch.request.requested_by.clone(),
    }
}

fn deletion(kind: LogKind, deletion: &Deletion) -> LogDeletion {
    let Request {
        policy,
        requested_by,
        reason,
    } = deletion.request.clone();
    let state = match deletion.state {
        DeletionState::Planned => LogDeletionState::Planned,
        DeletionState::Deleting => LogDeletionState::Deleting,
        DeletionState::Deleted => LogDeletionState::Deleted,
    };
    LogDeletion {
        kind: wire(kind).into(),
        state: state.into(),
        policy,
        requested_by,
        reason,
        plan_time: Some(to_proto(deletion.planned)),
        start_time: deletion.started.map(to_proto),
        delete_time: deletion.deleted.map(to_proto),
        object_count: signed(deletion.object_count),
        object_bytes: signed(deletion.object_bytes),
    }
}

fn hold_change(change: HoldChange) -> LegalHoldChange {
    LegalHoldChange {
        held: change.held,
        changed_by: change.changed_by,
        reason: change.reason,
        change_time: Some(to_proto(change.time)),
    }
}

fn wire(kind: LogKind) -> WireKind {
    match kind {
        LogKind::Containers => WireKind::Containers,
        LogKind::RawEvents => WireKind::RawEvents,
        LogKind::EventLogs => WireKind::EventLogs,
    }
}
