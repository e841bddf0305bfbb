//! What the suites on a real control plane share: the services' real programs, a proxy that lets
//! the API server fail at a chosen moment, and recorded answers of YuniKorn.
#![expect(clippy::unwrap_used, reason = "test support")]

pub mod fault_proxy;
pub mod program;
pub mod recorded_yunikorn;
pub mod virtual_address;

pub use fault_proxy::{Call, Fault, FaultProxy, Upstream, Watches};
pub use program::Program;
pub use recorded_yunikorn::RecordedYuniKorn;
pub use virtual_address::VirtualAddress;
