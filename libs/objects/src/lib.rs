//! Object stores behind one trait: S3, a directory, memory, and a decorator that fails on purpose.
//!
//! Objects are whole: a reader sees an object as one put left it, or does not see it. Keys are
//! listed in the order of their UTF-8 bytes by every store. Puts can be conditional, which is how
//! two replicas agree on who wrote.
#![warn(missing_docs, clippy::future_not_send)]

pub mod conformance;
mod directory;
mod error;
mod failing;
mod key;
mod memory;
mod object;
mod page;
mod s3;
mod store;
mod url;

pub use directory::DirectoryStore;
pub use error::{Error, OpenError};
pub use failing::{FailingStore, Fault, FaultRates, Operation};
pub use key::{InvalidKey, ObjectKey};
pub use memory::MemoryStore;
pub use object::{ETag, Object, ObjectMeta, PutCondition};
pub use page::{MAX_PAGE_SIZE, Page, PrefixPage};
pub use s3::{S3Credentials, S3Options, S3Store};
pub use store::{MAX_OBJECT_SIZE_BYTES, ObjectStore};
pub use url::open;
