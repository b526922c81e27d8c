//! Time from the time stamp counter. Its rate comes from the host: untrusted.
#![expect(unsafe_code, reason = "the time stamp counter is an instruction")]

use vial_abi::Handoff;

/// The counter now.
#[must_use]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has it, and ring 0 leaves it open to ring 3.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds of a counter that started at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    tsc_khz: u64,
    unix_ns: u64,
    unix_tsc: u64,
}

impl Clock {
    /// The clock that the kernel described.
    #[must_use]
    pub fn new(handoff: &Handoff) -> Self {
        Self { tsc_khz: handoff.tsc_khz.max(1), unix_ns: handoff.unix_ns, unix_tsc: handoff.unix_tsc }
    }

    /// Nanoseconds since the counter was 0.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.ns_of(ticks())
    }

    /// Counter value at `deadline_ns`, rounded up; `u64::MAX` past its end.
    #[must_use]
    pub fn ticks_at(&self, deadline_ns: u64) -> u64 {
        let ticks = (u128::from(deadline_ns) * u128::from(self.tsc_khz)).div_ceil(1_000_000);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// Unix time in ns when the counter is at `now_ns`; `None` if the host told none. Untrusted.
    #[must_use]
    pub fn unix_ns(&self, now_ns: u64) -> Option<u64> {
        let passed = now_ns.saturating_sub(self.ns_of(self.unix_tsc));
        (self.unix_ns > 0).then(|| self.unix_ns.saturating_add(passed))
    }

    /// Nanoseconds of so many ticks of the counter.
    #[must_use]
    pub fn ns_of(&self, ticks: u64) -> u64 {
        let ns = u128::from(ticks) * 1_000_000 / u128::from(self.tsc_khz);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { tsc_khz: 2_600_000, unix_ns: 1_000_000, unix_tsc: 2_600_000 };

    #[test]
    fn deadlines_are_never_early() {
        for ns in [0, 1, 999, 1_000_000_007, u64::MAX / 4] {
            assert!(CLOCK.ns_of(CLOCK.ticks_at(ns)) >= ns, "{ns}");
        }
        assert_eq!(CLOCK.ticks_at(u64::MAX), u64::MAX);
    }

    #[test]
    fn unix_time_runs_with_the_counter() {
        assert_eq!(CLOCK.unix_ns(3_000_000), Some(3_000_000));
        assert_eq!(Clock { unix_ns: 0, ..CLOCK }.unix_ns(5), None);
    }
}
