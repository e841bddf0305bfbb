//! The log shipper on a node of temporary directories, in this process and as the real binary.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support")]

#[path = "shipper/binary.rs"]
mod binary;
#[path = "shipper/faults.rs"]
mod faults;
#[path = "shipper/hostile.rs"]
mod hostile;
#[path = "shipper/node.rs"]
mod node;
#[path = "shipper/outage.rs"]
mod outage;
#[path = "shipper/picky.rs"]
mod picky;
#[path = "shipper/process.rs"]
mod process;
#[path = "shipper/records.rs"]
mod records;
#[path = "shipper/shipping.rs"]
mod shipping;
