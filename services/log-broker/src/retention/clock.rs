//! What time it is, for what cannot be undone.

use bytes::Bytes;
use jiff::Timestamp;
use moka_objects::{ObjectKey, PutCondition};

use super::Retention;
use crate::{domain::retention::CLOCK_KEY, error::Error};

impl Retention {
    /// The earlier of the store's time and this process's: one clock that is ahead deletes nothing.
    /// The store's is that of an object which is put for it, as the ages of all objects are by the
    /// store's clock.
    pub(super) async fn now(&self) -> Result<Timestamp, Error> {
        let key = ObjectKey::new(CLOCK_KEY)?;
        let store = self.store();
        store.put(&key, Bytes::new(), PutCondition::Always).await?;
        let stored = store.head(&key).await?.map(|object| object.modified);
        let own = self.clock.now();
        Ok(stored.map_or(Timestamp::MIN, |stored| stored.min(own)))
    }
}
