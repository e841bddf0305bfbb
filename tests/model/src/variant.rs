//! The protocol, and ways to break it. A search that finds nothing is worth something only when it
//! finds each of these.

/// Which protocol is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The one that submission follows.
    Protocol,
    /// The object is created before its intent is committed.
    NoIntent,
    /// An attempt without a uid is declared void because no object is found, without a tombstone.
    NoFence,
    /// The same, when nobody holds the launch lease.
    LeaseIsTheGuarantee,
    /// A lease never runs out, so that a dead worker keeps it.
    LeaseWithoutEnd,
    /// A name is given free while a create may still be on its way.
    NameFreedEarly,
    /// A create arrives in the moment between a deleted object's last finalizer and its tombstone.
    GapBeforeTheTombstone,
    /// Somebody deletes a finished object before its retention is over.
    FinishedObjectDeleted,
    /// A name that is taken by our own object counts as a refusal.
    NoAdoption,
    /// An observation begins with the object, so that a driver may be younger than what is known of
    /// it.
    ObjectReadFirst,
    /// A deleted object without a driver is over at once, though the operator may be submitting it.
    NoPatience,
    /// Finalizers go before the outcome is committed.
    ReleaseBeforeCommit,
    /// What is found out about an attempt is written to whichever attempt is current.
    AttemptsNotTold,
    /// An attempt that is to run elsewhere does, though it has succeeded meanwhile.
    DoneIsMoved,
    /// A refused create is the end, though an earlier one may be on its way.
    RefusalIsTheEnd,
}

impl Variant {
    /// Whether it matters who holds the launch lease. A lease that can run out at any time keeps
    /// nobody from anything, so elsewhere there is none.
    pub fn has_leases(self) -> bool {
        matches!(self, Self::LeaseIsTheGuarantee | Self::LeaseWithoutEnd)
    }

    /// Every broken one.
    pub const BROKEN: [Self; 14] = [
        Self::NoIntent,
        Self::NoFence,
        Self::LeaseIsTheGuarantee,
        Self::LeaseWithoutEnd,
        Self::NameFreedEarly,
        Self::GapBeforeTheTombstone,
        Self::FinishedObjectDeleted,
        Self::NoAdoption,
        Self::ObjectReadFirst,
        Self::NoPatience,
        Self::ReleaseBeforeCommit,
        Self::AttemptsNotTold,
        Self::DoneIsMoved,
        Self::RefusalIsTheEnd,
    ];
}
