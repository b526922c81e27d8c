//! How long to wait for a disk, and what was waited for.

/// How often a read that fails, or does not come, is tried.
pub(crate) const TRIES: u32 = 3;

/// A clock, and how long a read may take before it is asked for again.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Ticks of the clock since it started.
    pub now: fn() -> u64,
    /// Ticks.
    pub patience: u64,
}

impl Timing {
    /// Whether all tries of a read that was waited for since `started` are over.
    pub(crate) fn is_over(self, started: u64) -> bool {
        (self.now)().saturating_sub(started) > self.patience.saturating_mul(TRIES.into())
    }
}

/// Ticks of passes that nothing was computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Waiting for the disk.
    pub disk: u64,
    /// Copying and checking what it gave.
    pub check: u64,
}

/// How full what the disk reads into is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// All its bytes.
    pub bytes: u64,
    /// Those that wait to be used.
    pub filled_bytes: u64,
}
