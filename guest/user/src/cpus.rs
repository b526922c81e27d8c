//! Worker cpus: started once, parked between passes.

use crate::syscall;
use vial_abi::call::CallError;

pub use crate::syscall::CpuEntry;

/// Starts worker `cpu` (from 1) at `entry` on its own stack.
///
/// # Errors
/// Why ring 0 refused.
pub fn start(cpu: u32, entry: CpuEntry, argument: u64) -> Result<(), CallError> {
    syscall::start_cpu(cpu, entry, argument)
}

/// Parks the calling cpu until [`wake`] or an interrupt. A wake that came before is not lost; a park may end
/// for no reason, so the caller looks again at what it waits for.
pub fn park() {
    syscall::wait(u64::MAX);
}

/// Ends `cpu`'s [`park`].
pub fn wake(cpu: u32) {
    // Only an unknown cpu is refused, and that one has nothing to wake.
    let _unknown = syscall::wake_cpu(cpu);
}
