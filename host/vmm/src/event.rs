//! What a running machine tells.

use core::time::Duration;
use vial_abi::{ExitCode, Mark};

/// Something that happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A stage was reached, so long after [`crate::Vmm::start`] was called. From the guest: untrusted.
    Mark(Mark, Duration),
    /// A line of the guest's console. From the guest: untrusted.
    Console(String),
    /// The machine ended.
    Ended(Ended),
}

/// Why a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The appliance ended itself with this code.
    Exit(ExitCode),
    /// The appliance ended itself with a code this VMM does not know.
    Unknown(u8),
    /// The processor or KVM could not go on.
    Broken(String),
}
