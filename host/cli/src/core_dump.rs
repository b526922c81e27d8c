//! No core dumps: this process holds an appliance's memory where the TEE is simulated, and owners' keys in other commands.

use rustix::io::Result;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::failure::Failure;

/// Most bytes of a dump. Not 0: where dumps go to a program Linux heeds a limit of 1 alone, and for 1 it writes no file either.
/// Source: Linux 6.12 `fs/coredump.c`, `do_coredump`.
const DUMP_MAX: u64 = 1;

/// Has the system write no dump of this process whatever ends it; the limit is that of processes which it starts, too.
///
/// # Errors
/// The system refuses.
pub(crate) fn forbid() -> core::result::Result<(), Failure> {
    let refused = |error| Failure::new(format!("core dumps: cannot be forbidden: {error}"), "");
    limit().map_err(refused)
}

fn limit() -> Result<()> {
    let most = getrlimit(Resource::Core).maximum.map_or(DUMP_MAX, |hard| hard.min(DUMP_MAX));
    if most < DUMP_MAX {
        // The limit cannot go up again. This way nobody but root may look into the process at all.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    setrlimit(Resource::Core, Rlimit { current: Some(most), maximum: Some(most) })
}
