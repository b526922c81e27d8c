//! Drivers of virtio devices on virtio-mmio slots: block, net, rng.
//!
//! Written for this appliance: drivers offered elsewhere make references to the memory that devices write, and
//! panic or wait for ever on a queue entry that the host invents. Here every answer is checked against what was
//! asked ([`ring`]) and data is copied out of the window before anyone looks at it ([`crate::dma`]).
//!
//! Spec: Virtual I/O Device (VIRTIO) 1.2.

pub mod block;
#[cfg(test)]
mod fake;
pub mod mmio;
pub mod net;
pub mod ring;
pub mod rng;
mod run;

pub use block::Block;
pub use mmio::Slot;
pub use net::Net;
pub use rng::Rng;

use alloc::vec::Vec;

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Network card.
    Net,
    /// Disk.
    Block,
    /// Random numbers of the host.
    Rng,
}

/// Why a device cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// It speaks the interface from before virtio 1.0 only.
    Legacy,
    /// It did not accept the features asked for.
    Features,
    /// A queue is missing or too short.
    Queue {
        /// Entries it offers.
        found: u32,
        /// Entries needed.
        expected: u16,
    },
    /// The DMA window is used up.
    Window,
    /// It returned a queue entry that it had not been given.
    Entry {
        /// That entry.
        found: u32,
    },
    /// A request failed.
    Failed {
        /// Its status.
        status: u8,
    },
    /// A request does not fit the device.
    Range,
}

impl core::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Legacy => f.write_str("version: found legacy, expected virtio 1"),
            Self::Features => f.write_str("features: found refused, expected virtio 1 accepted"),
            Self::Queue { found, expected } => write!(f, "queue: found {found} entries, expected {expected}"),
            Self::Window => f.write_str("DMA window: used up"),
            Self::Entry { found } => write!(f, "queue entry: found {found}, which was not given"),
            Self::Failed { status } => write!(f, "status: found {status}, expected 0"),
            Self::Range => f.write_str("request: outside the device"),
        }
    }
}

impl core::error::Error for DeviceError {}

/// Takes the first slot with a device of this kind.
pub fn find(slots: &mut Vec<Slot>, kind: Kind) -> Option<Slot> {
    let at = slots.iter().position(|slot| slot.kind() == Some(kind))?;
    Some(slots.swap_remove(at))
}
