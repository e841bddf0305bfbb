//! A store that fails on purpose, for tests of what crashes leave behind.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use moka_core::entropy::{Entropy, SeededEntropy};

use crate::{
    ETag, Error, Object, ObjectKey, ObjectMeta, ObjectStore, Page, PrefixPage, PutCondition,
};

/// The operations of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`ObjectStore::put`]
    Put,
    /// [`ObjectStore::get`]
    Get,
    /// [`ObjectStore::get_range`]
    GetRange,
    /// [`ObjectStore::head`]
    Head,
    /// [`ObjectStore::list`]
    List,
    /// [`ObjectStore::list_prefixes`]
    ListPrefixes,
    /// [`ObjectStore::delete`]
    Delete,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call goes through. Counts the calls until the next fault of a script.
    None,
    /// The store never hears of it.
    Before,
    /// The store does it, and the answer is lost (a reset after the body).
    After,
    /// The store does it late, by tokio's clock.
    Slow(Duration),
}

/// How many calls of a thousand go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultRates {
    /// Of a thousand calls, those with [`Fault::Before`].
    pub before_per_mille: u32,
    /// Of a thousand calls, those with [`Fault::After`].
    pub after_per_mille: u32,
    /// Of a thousand calls, those with [`Fault::Slow`].
    pub slow_per_mille: u32,
    /// How slow.
    pub delay: Duration,
}

/// Another store, with faults. Scripted faults come first, each used once by the next call of its
/// operation; then random ones, if there are rates.
#[derive(Debug)]
pub struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    script: Mutex<VecDeque<(Operation, Fault)>>,
    random: Option<(SeededEntropy, FaultRates)>,
    fault_count: AtomicU64,
}

impl FailingStore {
    /// A store that fails only when told by [`FailingStore::next`].
    pub fn scripted(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            script: Mutex::default(),
            random: None,
            fault_count: AtomicU64::new(0),
        }
    }

    /// A store that fails at random; the same seed and the same calls give the same faults.
    pub fn seeded(inner: Arc<dyn ObjectStore>, seed: u64, rates: FaultRates) -> Self {
        Self {
            random: Some((SeededEntropy::new(seed), rates)),
            ..Self::scripted(inner)
        }
    }

    /// Adds to the script: the next call of `operation` that no earlier entry claims has `fault`.
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.script().push_back((operation, fault));
    }

    /// How many faults there were.
    pub fn fault_count(&self) -> u64 {
        self.fault_count.load(Ordering::Relaxed)
    }

    fn script(&self) -> std::sync::MutexGuard<'_, VecDeque<(Operation, Fault)>> {
        self.script.lock().expect("no holder of this lock panics")
    }

    fn fault(&self, operation: Operation) -> Fault {
        let mut script = self.script();
        let position = script
            .iter()
            .position(|(scripted, _)| *scripted == operation);
        let fault = position
            .and_then(|position| script.remove(position))
            .map_or_else(|| self.random_fault(), |(_, fault)| fault);
        if fault != Fault::None {
            self.fault_count.fetch_add(1, Ordering::Relaxed);
        }
        fault
    }

    fn random_fault(&self) -> Fault {
        let Some((entropy, rates)) = &self.random else {
            return Fault::None;
        };
        let mut random = [0; 4];
        entropy.fill(&mut random);
        let drawn = u32::from_le_bytes(random) % 1000;
        let before = rates.before_per_mille;
        let after = before + rates.after_per_mille;
        let slow = after + rates.slow_per_mille;
        match drawn {
            _ if drawn < before => Fault::Before,
            _ if drawn < after => Fault::After,
            _ if drawn < slow => Fault::Slow(rates.delay),
            _ => Fault::None,
        }
    }

    async fn call<T: Send>(
        &self,
        operation: Operation,
        subject: &str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        match self.fault(operation) {
            Fault::None => work.await,
            Fault::Before => Err(injected("before", subject)),
            Fault::After => {
                work.await?;
                Err(injected("after", subject))
            }
            Fault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                work.await
            }
        }
    }
}

fn injected(when: &'static str, subject: &str) -> Error {
    Error::Unavailable {
        operation: when,
        subject: subject.to_owned(),
        source: "this failure was injected".into(),
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        let work = self.inner.put(key, bytes, condition);
        self.call(Operation::Put, key.as_str(), work).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        self.call(Operation::Get, key.as_str(), self.inner.get(key))
            .await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        self.call(
            Operation::GetRange,
            key.as_str(),
            self.inner.get_range(key, range),
        )
        .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        self.call(Operation::Head, key.as_str(), self.inner.head(key))
            .await
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.call(
            Operation::List,
            prefix,
            self.inner.list(prefix, start_after, limit),
        )
        .await
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        let work = self.inner.list_prefixes(prefix, start_after, limit);
        self.call(Operation::ListPrefixes, prefix, work).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        self.call(Operation::Delete, key.as_str(), self.inner.delete(key))
            .await
    }
}
