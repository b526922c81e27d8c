//! Frequency of the time stamp counter and wall-clock time. All values come from the host: untrusted.

use crate::platform::CpuId;

/// Frequency of the local APIC's timer under KVM and QEMU, in ticks a millisecond.
pub const APIC_TICKS_PER_MS: u64 = 1_000_000;

/// Wall-clock time at one value of the time stamp counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Ticks a millisecond.
    pub tsc_khz: u64,
    /// Unix time in ns; 0 if unknown.
    pub unix_ns: u64,
    /// Counter value at [`Self::unix_ns`].
    pub unix_tsc: u64,
}

/// KVM's page of paravirtual time. Spec: Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW
/// and MSR_KVM_WALL_CLOCK_NEW.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvmTime {
    /// Counter value at [`Self::system_ns`].
    pub tsc: u64,
    /// Time since the machine started, in ns.
    pub system_ns: u64,
    /// Nanoseconds a tick, times 2^32, before [`Self::shift`].
    pub multiplier: u32,
    /// Power of two by which ticks are multiplied first.
    pub shift: i8,
    /// Unix time at the machine's start: seconds and ns.
    pub wall: (u32, u32),
}

impl KvmTime {
    /// The clock these values describe; none if the multiplier was never set.
    #[must_use]
    pub fn clock(&self) -> Option<Clock> {
        let scaled = (1_000_000_u64 << 32).checked_div(self.multiplier.into())?;
        let shift = u32::from(self.shift.unsigned_abs());
        let tsc_khz = if self.shift < 0 { scaled.checked_shl(shift)? } else { scaled.checked_shr(shift)? };
        let wall_ns = u64::from(self.wall.0) * 1_000_000_000 + u64::from(self.wall.1);
        let unix_ns = if wall_ns == 0 { 0 } else { wall_ns.wrapping_add(self.system_ns) };
        Some(Clock { tsc_khz, unix_ns, unix_tsc: self.tsc })
    }
}

/// Ticks a millisecond by `cpuid`: the hypervisor's leaf, then the processor's.
pub fn tsc_khz(cpu: &impl CpuId) -> Option<u64> {
    by_hypervisor(cpu).or_else(|| by_crystal(cpu)).filter(|&khz| khz > 0)
}

fn by_hypervisor(cpu: &impl CpuId) -> Option<u64> {
    let is_guest = cpu.cpuid(1, 0)[2] >> 31 == 1;
    let [highest, ..] = if is_guest { cpu.cpuid(0x4000_0000, 0) } else { [0; 4] };
    let [khz, ..] = if highest >= 0x4000_0010 { cpu.cpuid(0x4000_0010, 0) } else { [0; 4] };
    (khz > 0).then_some(khz.into())
}

/// Spec: Intel SDM vol. 2A, CPUID leaf 15H: crystal Hz * numerator / denominator.
fn by_crystal(cpu: &impl CpuId) -> Option<u64> {
    let [highest, ..] = cpu.cpuid(0, 0);
    let [denominator, numerator, hz, _] = if highest >= 0x15 { cpu.cpuid(0x15, 0) } else { [0; 4] };
    let product = u64::from(hz).checked_mul(numerator.into())?;
    product.checked_div(denominator.into()).map(|tsc_hz| tsc_hz / 1000)
}

/// Ticks a millisecond, from counter ticks that passed during so many ticks of the APIC's timer.
#[must_use]
pub fn tsc_khz_by_apic(tsc_ticks: u64, apic_ticks: u64) -> Option<u64> {
    tsc_ticks.checked_mul(APIC_TICKS_PER_MS)?.checked_div(apic_ticks)
}

/// Count for the APIC's one-shot timer until `deadline`; at least 1, at most what the register holds.
#[must_use]
pub fn apic_ticks_until(deadline: u64, now: u64, tsc_khz: u64) -> u32 {
    let ticks = deadline.saturating_sub(now);
    let whole = ticks.checked_div(tsc_khz).unwrap_or(0).saturating_mul(APIC_TICKS_PER_MS);
    let part = ticks.checked_rem(tsc_khz).unwrap_or(0).saturating_mul(APIC_TICKS_PER_MS);
    let count = whole.saturating_add(part.checked_div(tsc_khz).unwrap_or(0));
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeMachine;

    fn machine(leaves: &[(u32, [u32; 4])]) -> FakeMachine {
        FakeMachine { cpuid: leaves.iter().copied().collect(), ..FakeMachine::default() }
    }

    #[test]
    fn the_hypervisors_frequency_comes_first() {
        let crystal = (0x15, [2, 200, 25_000_000, 0]);
        let hypervisor = (0x4000_0010, [2_600_000, 0, 0, 0]);
        let guest = [(0, [0x15, 0, 0, 0]), (1, [0, 0, 1 << 31, 0]), (0x4000_0000, [0x4000_0010, 0, 0, 0])];
        let [highest, is_guest, range] = guest;
        assert_eq!(tsc_khz(&machine(&[highest, is_guest, range, crystal, hypervisor])), Some(2_600_000));
        assert_eq!(tsc_khz(&machine(&[highest, crystal, hypervisor])), Some(2_500_000));
        assert_eq!(tsc_khz(&machine(&[highest, (0x15, [0, 1, 1, 0])])), None);
    }

    #[test]
    fn kvm_time_gives_frequency_and_wall_clock() {
        // 2 GHz: half a ns a tick.
        let time = KvmTime { tsc: 50, system_ns: 7, multiplier: 1 << 31, shift: 0, wall: (1_700_000_000, 5) };
        let clock = Clock { tsc_khz: 2_000_000, unix_ns: 1_700_000_000_000_000_012, unix_tsc: 50 };
        assert_eq!(time.clock(), Some(clock));
        assert_eq!(KvmTime { shift: -1, ..time }.clock().unwrap().tsc_khz, 4_000_000);
        assert_eq!(KvmTime { multiplier: 0, ..time }.clock(), None);
        assert_eq!(KvmTime { wall: (0, 0), ..time }.clock().unwrap().unix_ns, 0);
    }

    #[test]
    fn the_one_shot_count_fits_its_register() {
        assert_eq!(apic_ticks_until(3_000_000, 1_000_000, 2_000_000), 1_000_000);
        assert_eq!(apic_ticks_until(5, 9, 2_000_000), 1);
        assert_eq!(apic_ticks_until(u64::MAX - 1, 0, 2_000_000), u32::MAX);
        assert_eq!(tsc_khz_by_apic(2_600_000, APIC_TICKS_PER_MS), Some(2_600_000));
    }
}
