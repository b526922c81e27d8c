//! Which run-time register of a trust domain each event of the log extends.
//!
//! By Intel's convention RTMR0 holds firmware's configuration, RTMR1 code that was loaded, RTMR2 what that code serves,
//! and RTMR3 is left to programs. Firmware extends by this table and the verifier replays by it, so that a policy may pin
//! firmware and code and leave the model open.
//!
//! Spec: Intel TDX Virtual Firmware Design Guide (344991) §8.1; Intel TDX Module ABI (348551), TDG.MR.RTMR.EXTEND.

use sha2::{Digest as _, Sha384};

use crate::event_log::{Event, names};

/// A run-time measurement register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtmr {
    /// RTMR0: what firmware was told.
    Configuration,
    /// RTMR1: code that firmware loaded.
    Code,
    /// RTMR2: what that code serves.
    Content,
    /// RTMR3: nothing of firmware's; programs may extend it.
    Runtime,
}

impl Rtmr {
    /// Its number, 0 to 3, as the TDX module counts.
    #[must_use]
    pub const fn index(self) -> u8 {
        match self {
            Self::Configuration => 0,
            Self::Code => 1,
            Self::Content => 2,
            Self::Runtime => 3,
        }
    }

    /// The register of an event; none for events that firmware does not write.
    #[must_use]
    pub fn of(event: &[u8]) -> Option<Self> {
        let is_one_of = |known: &[&str]| known.iter().any(|name| name.as_bytes() == event);
        if is_one_of(&[names::LAUNCH_PAGE, names::MANIFEST]) {
            Some(Self::Configuration)
        } else if is_one_of(&[names::KERNEL, names::ENGINE]) {
            Some(Self::Code)
        } else if is_one_of(&CONTENT) {
            Some(Self::Content)
        } else {
            None
        }
    }
}

const CONTENT: [&str; 5] =
    [names::BUNDLE, names::WEIGHTS_ROOT, names::WEIGHTS, names::DRAFT_ROOT, names::DRAFT];

/// RTMR0 to RTMR3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtmrs(pub [[u8; 48]; 4]);

impl Default for Rtmrs {
    /// As a trust domain starts: zeros.
    fn default() -> Self {
        Self([[0; 48]; 4])
    }
}

impl Rtmrs {
    /// Extends one register: SHA-384 of its old value and `digest`.
    pub fn extend(&mut self, register: Rtmr, digest: &[u8; 48]) {
        if let Some(value) = self.0.get_mut(usize::from(register.index())) {
            *value = Sha384::new().chain_update(*value).chain_update(digest).finalize().into();
        }
    }

    /// What `events` leave in the registers.
    ///
    /// # Errors
    /// The first event that firmware does not write.
    pub fn replay(events: &[Event]) -> Result<Self, UnknownEvent> {
        let mut registers = Self::default();
        for (at, event) in events.iter().enumerate() {
            registers.extend(Rtmr::of(&event.name).ok_or(UnknownEvent { at })?, &event.digest);
        }
        Ok(registers)
    }
}

/// An event that belongs to no register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEvent {
    /// Its place in the log, from 0.
    pub at: usize,
}

impl core::fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "event log: event {} is none that firmware writes", self.at)
    }
}

impl core::error::Error for UnknownEvent {}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::sha384;

    fn event(name: &str) -> Event {
        Event { name: name.as_bytes().to_vec(), digest: sha384(name.as_bytes()) }
    }

    #[test]
    fn every_event_of_firmware_has_a_register() {
        for name in [names::LAUNCH_PAGE, names::MANIFEST] {
            assert_eq!(Rtmr::of(name.as_bytes()), Some(Rtmr::Configuration));
        }
        for name in [names::KERNEL, names::ENGINE] {
            assert_eq!(Rtmr::of(name.as_bytes()), Some(Rtmr::Code));
        }
        for name in CONTENT {
            assert_eq!(Rtmr::of(name.as_bytes()), Some(Rtmr::Content));
        }
    }

    #[test]
    fn a_register_holds_its_own_events_in_their_order() {
        let digest = |name: &str| sha384(name.as_bytes());
        let events = vec![event(names::KERNEL), event(names::BUNDLE), event(names::ENGINE)];
        let Rtmrs([configuration, code, content, runtime]) = Rtmrs::replay(&events).unwrap();
        assert_eq!((configuration, runtime), ([0; 48], [0; 48]));
        let kernel = sha384(&[&[0; 48][..], &digest(names::KERNEL)].concat());
        assert_eq!(code, sha384(&[kernel, digest(names::ENGINE)].concat()));
        assert_eq!(content, sha384(&[&[0; 48][..], &digest(names::BUNDLE)].concat()));
    }

    #[test]
    fn an_event_that_firmware_does_not_write_is_refused() {
        let events = [event(names::KERNEL), event("kernel ")];
        assert_eq!(Rtmrs::replay(&events), Err(UnknownEvent { at: 1 }));
    }
}
