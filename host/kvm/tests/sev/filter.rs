//! System calls of one thread, handed to another: seccomp's user notification.
//!
//! Source: seccomp_unotify(2).
#![expect(unsafe_code, reason = "installs the filter, and answers what it hands over")]

use std::fs::File;
use std::io::Error;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// A system call that waits for its answer.
pub(crate) struct Notice {
    pub(crate) id: u64,
    pub(crate) call: i64,
    pub(crate) arguments: [u64; 6],
}

/// What a waiting call gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// This value.
    Value(i64),
    /// This error.
    Error(i32),
    /// What the real kernel gives.
    Pass,
}

/// Hands over `ioctl` and `openat` of the calling thread from now on, to whoever holds the descriptor.
pub(crate) fn install() -> OwnedFd {
    const LOAD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = |call: i64| u32::try_from(call).unwrap();
    let mut steps = [
        step(LOAD, 0, 0, 0),
        step(IF_EQUAL, 2, 0, number(libc::SYS_ioctl)),
        step(IF_EQUAL, 1, 0, number(libc::SYS_openat)),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
    ];
    let program = libc::sock_fprog { len: 5, filter: steps.as_mut_ptr() };
    // SAFETY: takes privileges of this thread alone, and touches no memory.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(done, 0, "{}", Error::last_os_error());
    let (filter, listener) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: the program and its steps live until the call returns; the kernel copies them.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, filter, listener, &raw const program) };
    let fd = i32::try_from(fd).unwrap();
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: the kernel has just opened it for this call.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The next call; none when the thread has ended.
pub(crate) fn receive(listener: &OwnedFd) -> Option<Notice> {
    const RECEIVE: u64 = 0xC050_2100;
    let mut ready = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure, which lives until the call returns.
    let _count = unsafe { libc::poll(&raw mut ready, 1, -1) };
    if ready.revents & libc::POLLIN == 0 {
        return None;
    }
    let mut notice = [0_u64; 10];
    // SAFETY: 80 bytes, as the request says, which are any bytes.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, notice.as_mut_ptr()) };
    assert_eq!(done, 0, "{}", Error::last_os_error());
    let [id, _pid_and_flags, call, _address, arguments @ ..] = notice;
    let call = i64::from(u32::try_from(call & u64::from(u32::MAX)).unwrap());
    Some(Notice { id, call, arguments })
}

/// Answers a call.
pub(crate) fn reply(listener: &OwnedFd, id: u64, reply: Reply) {
    const SEND: u64 = 0xC018_2101;
    let (value, error, flags) = match reply {
        Reply::Value(value) => (value, 0, 0),
        Reply::Error(errno) => (0, -errno, 0),
        Reply::Pass => (0, 0, 1),
    };
    let answer = [id, value.cast_unsigned(), u64::from(error.cast_unsigned()) | flags << 32];
    // SAFETY: 24 bytes, as the request says.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), SEND, answer.as_ptr()) };
    assert_eq!(done, 0, "{}", Error::last_os_error());
}

/// A file in memory, which stands for what the kernel opens.
pub(crate) fn file(name: &str, bytes: u64) -> File {
    let name = std::ffi::CString::new(name).unwrap();
    // SAFETY: the name lives until the call returns.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: the kernel has just opened it for this call.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(bytes).unwrap();
    file
}
