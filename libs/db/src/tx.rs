//! The handle that a transaction's work holds.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::AnyConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{Error, session::Session};

/// An open transaction. Queries run on `&mut *tx`; only [`crate::Database`] can end it.
///
/// It is owned, not borrowed, because futures of closures over a borrowed one cannot be shown to be
/// `Send` when they also borrow from their surroundings.
pub struct Tx(OwnedMutexGuard<Session>);

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &Self::Target {
        self.0.connection()
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.connection_mut()
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

/// The runner's side of a [`Tx`].
pub(crate) struct OpenTransaction(Arc<Mutex<Session>>);

impl OpenTransaction {
    /// An open transaction and the one handle to it.
    pub(crate) fn new(session: Session) -> (Self, Tx) {
        let shared = Arc::new(Mutex::new(session));
        let guard = Arc::clone(&shared)
            .try_lock_owned()
            .expect("nobody else knows a lock that was just made");
        (Self(shared), Tx(guard))
    }

    /// Takes the transaction back to end it. Fails when the work kept its handle.
    pub(crate) fn take_back(self) -> Result<Session, Error> {
        Arc::into_inner(self.0)
            .map(Mutex::into_inner)
            .ok_or_else(|| {
                Error::Defect(sqlx::Error::Protocol(
                    "the work kept its transaction".to_owned(),
                ))
            })
    }
}
