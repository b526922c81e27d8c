//! Positional reads of a file straight into guest memory.
#![expect(unsafe_code, reason = "the kernel writes to guest memory by address")]

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd as _;
use vm_memory::volatile_memory::VolatileSlice;

/// Fills `to` from `offset` of `file`.
///
/// # Errors
/// The read fails or the file ends.
pub fn read_volatile_at(file: &File, offset: u64, to: &VolatileSlice<'_>) -> Result<()> {
    let mut done = 0;
    while done < to.len() {
        let at = libc::off64_t::try_from(offset + done as u64).map_err(Error::other)?;
        let guard = to.ptr_guard_mut();
        let start = guard.as_ptr().wrapping_add(done);
        // SAFETY: the slice is writable guest memory of that length, and no reference to it exists.
        let read = unsafe { libc::pread64(file.as_raw_fd(), start.cast(), to.len() - done, at) };
        match usize::try_from(read) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(_) => {
                let error = Error::last_os_error();
                if error.kind() != ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}
