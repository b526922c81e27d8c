//! A trust domain without the hardware: this VMM plays its module, host and quoting service (`vial-simulated-tdx`), on KVM.
//!
//! What is private is at its address, and what can be shared at its address with the shared bit alone; devices reach the latter and
//! nothing else. What the domain has not accepted yet answers all the same: what its tables say is checked whenever it asks for a
//! report. TDCALL comes as an order on a port, its operands in registers.

mod around;
mod seat;
mod start;

pub use start::PlayedDomain;
pub(crate) use start::start;
