//! One remembered attempt.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::{
    lifecycle::Happening,
    noted::Noted,
    observation::{DriverView, ObjectView, Observation, Owner},
    verdict::{Patience, Verdict, judge},
};

/// What the database says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::workers) enum Record {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It is live.
    Live(Noted),
    /// It has ended, or another one follows.
    Over {
        /// The uid that its object had.
        uid: Option<Box<str>>,
    },
}

/// Who has to look at an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    /// Nobody: nothing follows of what there is.
    Nobody,
    /// The status lane, soon.
    Status,
    /// The status lane, unless it is known by then what the database says.
    Later,
    /// The ending lane.
    Ending,
}

/// One remembered attempt.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) object: Option<Box<ObjectView>>,
    pub(super) driver: Option<Box<DriverView>>,
    pub(super) record: Record,
    /// Since when a change waits for being looked at.
    pub(super) changed: Option<Instant>,
}

impl Entry {
    pub(super) fn observation(&self) -> Observation {
        Observation {
            object: self.object.as_deref().cloned(),
            driver: self.driver.as_deref().cloned(),
        }
    }

    /// Since when the back end has not looked at the object.
    pub(super) fn unseen_since(&self) -> Option<Timestamp> {
        let object = self.object.as_ref().filter(|object| object.is_unseen())?;
        object.create_time
    }

    /// Whether nothing of it is worth remembering.
    pub(super) fn is_settled(&self) -> bool {
        let is_live = matches!(self.record, Record::Live(_));
        !is_live && !self.has_remains()
    }

    /// Whether something of it is in the cluster that must not stay there once it is over.
    fn has_remains(&self) -> bool {
        let driver = self.driver.as_ref();
        driver.is_some_and(|driver| driver.has_finalizer || !driver.has_ended())
            || self
                .object
                .as_ref()
                .is_some_and(|object| object.has_finalizer)
    }

    /// Who has to look after a change.
    pub(super) fn attention(&self, patience: Patience, now: Timestamp) -> Attention {
        match &self.record {
            Record::Live(noted) => self.attention_of_live(noted, patience, now),
            Record::Unknown if !self.has_remains() => Attention::Nobody,
            // Its creator is about to tell its uid.
            Record::Unknown if self.driver.is_none() && self.unseen_since().is_some() => {
                Attention::Later
            }
            Record::Unknown => Attention::Status,
            // The clean-up lane is at it, unless something came anew.
            Record::Over { uid } if self.is_anew(uid.as_deref()) => Attention::Status,
            Record::Over { .. } => Attention::Nobody,
        }
    }

    /// Who has to look from time to time, whatever has changed.
    pub(super) fn attention_at_times(&self, patience: Patience, now: Timestamp) -> Attention {
        match &self.record {
            Record::Unknown | Record::Over { .. } if self.has_remains() => Attention::Status,
            _ => self.attention(patience, now),
        }
    }

    fn attention_of_live(&self, noted: &Noted, patience: Patience, now: Timestamp) -> Attention {
        if noted.is_ending {
            return Attention::Ending;
        }
        let finding = judge(noted, &self.observation(), patience, now);
        if finding.news.is_empty() && finding.verdict == Verdict::Wait {
            return Attention::Nobody;
        }
        let only_created = finding.verdict == Verdict::Wait
            && finding
                .news
                .iter()
                .all(|one| matches!(one, Happening::Created { .. }));
        if only_created && self.unseen_since().is_some() {
            Attention::Later
        } else {
            Attention::Status
        }
    }

    /// Whether there is a driver that runs or an object of which the database does not know.
    fn is_anew(&self, uid: Option<&str>) -> bool {
        let lives = |driver: &DriverView| !driver.has_ended();
        let differs = |object: &ObjectView| {
            object.owner == Owner::Attempt && uid.is_none_or(|uid| uid != object.uid)
        };
        self.driver.as_deref().is_some_and(lives) || self.object.as_deref().is_some_and(differs)
    }
}
