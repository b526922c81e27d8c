//! What the secure processor lets a host do with the guest.

/// A guest policy. Nobody may debug the guest, nor migrate it by an agent.
///
/// Spec: AMD 56860 rev 1.58 §4.3, table 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy(u64);

/// A bit that must be one.
const RESERVED_ONE: u64 = 1 << 17;
/// Another thread may share the core with the guest.
const SMT: u64 = 1 << 16;

impl Policy {
    /// Any version of the firmware's interface, one thread a core.
    pub const STRICT: Self = Self(RESERVED_ONE);

    /// The same on a host whose cores run two threads each: with [`Self::STRICT`] such a host starts no guest.
    #[must_use]
    pub const fn with_smt(self) -> Self {
        Self(self.0 | SMT)
    }

    /// As the secure processor takes it.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}
