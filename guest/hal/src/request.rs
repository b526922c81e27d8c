//! Decoding of calls: registers of ring 3 become a typed request.

use vial_abi::Mark;
use vial_abi::call::{CONSOLE_MAX, Call, CallError};
use vial_abi::memory::{VIRTIO_SLOT_BYTES, VIRTIO_SLOTS};

/// A call with its arguments. Addresses are not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// [`Call::Exit`].
    Exit {
        /// At most 127.
        code: u8,
    },
    /// [`Call::Console`].
    Console {
        /// Address of the line.
        text: u64,
        /// Its bytes, at most [`CONSOLE_MAX`].
        len: usize,
    },
    /// [`Call::Mark`].
    Mark(Mark),
    /// [`Call::BootReport`].
    BootReport {
        /// Address of 64 bytes.
        data: u64,
        /// Address of the output buffer.
        out: u64,
    },
    /// [`Call::HandOver`].
    HandOver {
        /// Address of the kernel's first instruction.
        entry: u64,
        /// Address of the handoff page.
        handoff: u64,
    },
    /// [`Call::Report`].
    Report {
        /// Address of the request.
        request: u64,
        /// Address of the output buffer.
        out: u64,
    },
    /// [`Call::Wait`].
    Wait {
        /// Time stamp counter value; `u64::MAX` for none.
        deadline: u64,
    },
    /// [`Call::StartCpu`].
    StartCpu {
        /// Number of the cpu.
        cpu: u32,
        /// Its first instruction.
        entry: u64,
        /// Goes to its `rdi`.
        argument: u64,
    },
    /// [`Call::WakeCpu`].
    WakeCpu {
        /// Number of the cpu.
        cpu: u32,
    },
    /// [`Call::ReadDevice`].
    ReadDevice {
        /// Byte of the virtio slots, a multiple of four.
        offset: u64,
    },
    /// [`Call::WriteDevice`].
    WriteDevice {
        /// Byte of the virtio slots, a multiple of four.
        offset: u64,
        /// What is written.
        value: u32,
    },
    /// [`Call::ExtendRegister`].
    ExtendRegister {
        /// At most 127; there are 0 to 3.
        register: u8,
        /// Address of 48 bytes.
        digest: u64,
    },
}

/// What to do after a request was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Return to ring 3 with this value.
    Value(u64),
    /// End the appliance.
    Exit(u8),
    /// Leave firmware for the kernel.
    HandOver,
}

impl Request {
    /// Decodes a call's number and three arguments. From ring 3: untrusted.
    ///
    /// # Errors
    /// [`CallError::UnknownCall`]; [`CallError::BadArgument`] where a number is out of range.
    pub fn decode(number: u64, [first, second, third]: [u64; 3]) -> Result<Self, CallError> {
        Ok(match Call::from_value(number).ok_or(CallError::UnknownCall)? {
            Call::Exit => Self::Exit { code: small(first)? },
            Call::Console => Self::Console { text: first, len: line_bytes(second)? },
            Call::Mark => Self::Mark(mark(first)?),
            Call::BootReport => Self::BootReport { data: first, out: second },
            Call::HandOver => Self::HandOver { entry: first, handoff: second },
            Call::Report => Self::Report { request: first, out: second },
            Call::Wait => Self::Wait { deadline: first },
            Call::StartCpu => Self::StartCpu { cpu: cpu(first)?, entry: second, argument: third },
            Call::WakeCpu => Self::WakeCpu { cpu: cpu(first)? },
            Call::ReadDevice => Self::ReadDevice { offset: device_offset(first)? },
            Call::ExtendRegister => Self::ExtendRegister { register: small(first)?, digest: second },
            Call::WriteDevice => {
                let value = u32::try_from(second).map_err(|_| CallError::BadArgument)?;
                Self::WriteDevice { offset: device_offset(first)?, value }
            }
        })
    }
}

fn device_offset(offset: u64) -> Result<u64, CallError> {
    let is_register = offset < VIRTIO_SLOTS * VIRTIO_SLOT_BYTES && offset.is_multiple_of(4);
    is_register.then_some(offset).ok_or(CallError::BadArgument)
}

/// A result as `rax` carries it.
#[must_use]
pub fn encode(result: Result<u64, CallError>) -> u64 {
    result.unwrap_or_else(|error| error.value().cast_unsigned())
}

/// QEMU's exit port doubles the code, so 127 is the largest.
fn small(value: u64) -> Result<u8, CallError> {
    u8::try_from(value).ok().filter(|&code| code < 128).ok_or(CallError::BadArgument)
}

fn line_bytes(value: u64) -> Result<usize, CallError> {
    usize::try_from(value).ok().filter(|&len| len <= CONSOLE_MAX).ok_or(CallError::BadArgument)
}

fn mark(value: u64) -> Result<Mark, CallError> {
    u8::try_from(value).ok().and_then(Mark::from_value).ok_or(CallError::BadArgument)
}

fn cpu(value: u64) -> Result<u32, CallError> {
    u32::try_from(value).map_err(|_| CallError::BadArgument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_decoded() {
        let decode = |call: Call, first| Request::decode(call.value(), [first, 2, 3]);
        assert_eq!(decode(Call::Exit, 127), Ok(Request::Exit { code: 127 }));
        assert_eq!(decode(Call::Console, 9), Ok(Request::Console { text: 9, len: 2 }));
        assert_eq!(decode(Call::Mark, 5), Ok(Request::Mark(Mark::Kernel)));
        assert_eq!(decode(Call::BootReport, 9), Ok(Request::BootReport { data: 9, out: 2 }));
        assert_eq!(decode(Call::HandOver, 9), Ok(Request::HandOver { entry: 9, handoff: 2 }));
        assert_eq!(decode(Call::Report, 9), Ok(Request::Report { request: 9, out: 2 }));
        assert_eq!(decode(Call::Wait, 9), Ok(Request::Wait { deadline: 9 }));
        let start = Request::StartCpu { cpu: 1, entry: 2, argument: 3 };
        assert_eq!(decode(Call::StartCpu, 1), Ok(start));
        assert_eq!(decode(Call::WakeCpu, 1), Ok(Request::WakeCpu { cpu: 1 }));
        let extend = Request::ExtendRegister { register: 3, digest: 2 };
        assert_eq!(decode(Call::ExtendRegister, 3), Ok(extend));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let decode = |call: Call, first, second| Request::decode(call.value(), [first, second, 0]);
        assert_eq!(Request::decode(0, [0; 3]), Err(CallError::UnknownCall));
        assert_eq!(Request::decode(13, [0; 3]), Err(CallError::UnknownCall));
        assert_eq!(decode(Call::Exit, 128, 0), Err(CallError::BadArgument));
        assert_eq!(decode(Call::Console, 0, 257), Err(CallError::BadArgument));
        assert_eq!(decode(Call::Mark, 0, 0), Err(CallError::BadArgument));
        assert_eq!(decode(Call::WakeCpu, 1 << 32, 0), Err(CallError::BadArgument));
        assert_eq!(decode(Call::ExtendRegister, 128, 0), Err(CallError::BadArgument));
        for offset in [2, 4096, 1 << 32] {
            assert_eq!(decode(Call::ReadDevice, offset, 0), Err(CallError::BadArgument));
            assert_eq!(decode(Call::WriteDevice, offset, 0), Err(CallError::BadArgument));
        }
        assert_eq!(decode(Call::WriteDevice, 4092, 1 << 32), Err(CallError::BadArgument));
        assert_eq!(decode(Call::WriteDevice, 4092, 7), Ok(Request::WriteDevice { offset: 4092, value: 7 }));
    }

    #[test]
    fn errors_are_negative_on_the_wire() {
        assert_eq!(encode(Err(CallError::BadRange)), u64::MAX - 1);
        assert_eq!(encode(Ok(7)), 7);
    }
}
