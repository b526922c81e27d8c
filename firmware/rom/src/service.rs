//! Serving the boot program's calls.

use vial_abi::call::{CONSOLE_MAX, CallError, REPORT_OUT_BYTES};
use vial_abi::memory::{BOOT_DATA_PA, BOOT_TEXT_PA, HANDOFF_PA, KERNEL_TEXT_PA, ram};
use vial_hal::platform::{Console, Devices, Registers, Tee, UserMemory};
use vial_hal::range::{Span, UserSpans};
use vial_hal::request::{Request, Served};

/// The boot program's memory on a machine with `memory_bytes`.
#[must_use]
pub const fn spans(memory_bytes: u64) -> [Span; 2] {
    let [low, _] = ram(memory_bytes);
    let text = Span::constant(BOOT_TEXT_PA, BOOT_DATA_PA - BOOT_TEXT_PA);
    [text, Span::data(BOOT_DATA_PA, low.len.saturating_sub(BOOT_DATA_PA))]
}

/// Serves one request; `memory` is the caller's.
///
/// # Errors
/// Why the call was refused.
pub fn serve(
    platform: &mut (impl Console + Devices + Registers + Tee + UserMemory),
    memory: UserSpans<'_>,
    request: Request,
) -> Result<Served, CallError> {
    match request {
        Request::Exit { code } => Ok(Served::Exit(code)),
        Request::Console { text, len } => print(platform, memory, text, len),
        Request::Mark(mark) => {
            platform.mark(mark);
            Ok(Served::Value(0))
        }
        Request::BootReport { data, out } => report(platform, memory, data, out),
        Request::ReadDevice { offset } => {
            platform.read_device(offset).map(|value| Served::Value(value.into()))
        }
        Request::WriteDevice { offset, value } => {
            platform.write_device(offset, value).map(|()| Served::Value(0))
        }
        Request::ExtendRegister { register, digest } => extend(platform, memory, register, digest),
        Request::HandOver { entry: KERNEL_TEXT_PA, handoff: HANDOFF_PA } => Ok(Served::HandOver),
        Request::HandOver { .. } => Err(CallError::BadArgument),
        Request::Report { .. }
        | Request::Wait { .. }
        | Request::StartCpu { .. }
        | Request::WakeCpu { .. } => Err(CallError::UnknownCall),
    }
}

fn print(
    platform: &mut (impl Console + UserMemory),
    memory: UserSpans<'_>,
    text: u64,
    len: usize,
) -> Result<Served, CallError> {
    let from = memory.input(text, u64::try_from(len).map_err(|_| CallError::BadRange)?)?;
    let mut line = [0; CONSOLE_MAX];
    let len = platform.copy_in(from, &mut line);
    platform.line(line.get(..len).unwrap_or_default());
    Ok(Served::Value(0))
}

fn report(
    platform: &mut (impl Tee + UserMemory),
    memory: UserSpans<'_>,
    data: u64,
    out: u64,
) -> Result<Served, CallError> {
    let mut report_data = [0; 64];
    platform.copy_in(memory.input(data, 64)?, &mut report_data);
    let out = memory.output(out, u64::try_from(REPORT_OUT_BYTES).map_err(|_| CallError::BadRange)?)?;
    let deliver = |platform: &mut _, response: &[u8]| {
        u64::try_from(UserMemory::copy_out(platform, out, response)).unwrap_or(0)
    };
    platform.report(&report_data, deliver).map(Served::Value)
}

fn extend(
    platform: &mut (impl Registers + UserMemory),
    memory: UserSpans<'_>,
    register: u8,
    digest: u64,
) -> Result<Served, CallError> {
    let mut bytes = [0; 48];
    platform.copy_in(memory.input(digest, 48)?, &mut bytes);
    platform.extend(register, &bytes).map(|()| Served::Value(0))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use vial_abi::Mark;
    use vial_abi::memory::{BLOBS_PA, ROM_DATA_PA};
    use vial_hal::fake::FakePlatform;

    const MEMORY: u64 = 64 << 20;

    fn ask(platform: &mut FakePlatform, request: Request) -> Result<Served, CallError> {
        serve(platform, UserSpans(&spans(MEMORY)), request)
    }

    #[test]
    fn a_line_is_printed_from_text_and_data() {
        let mut platform = FakePlatform::default();
        platform.put(BOOT_TEXT_PA, b"found");
        let line = Request::Console { text: BOOT_TEXT_PA, len: 5 };
        assert_eq!(ask(&mut platform, line), Ok(Served::Value(0)));
        assert_eq!(platform.lines, [b"found"]);
    }

    #[test]
    fn a_report_is_copied_to_the_caller() {
        let mut platform = FakePlatform { response: Some(b"a report".to_vec()), ..FakePlatform::default() };
        platform.put(BOOT_DATA_PA, &[7; 64]);
        let request = Request::BootReport { data: BOOT_DATA_PA, out: BLOBS_PA };
        assert_eq!(ask(&mut platform, request), Ok(Served::Value(8)));
        assert_eq!(platform.reports, [[7; 64]]);
        assert_eq!(platform.bytes(BLOBS_PA, 8), b"a report");
    }

    #[test]
    fn a_register_is_extended_with_the_callers_digest_where_there_is_one() {
        let mut platform = FakePlatform::default();
        platform.put(BOOT_DATA_PA, &[7; 48]);
        let extend = Request::ExtendRegister { register: 2, digest: BOOT_DATA_PA };
        assert_eq!(ask(&mut platform, extend), Err(CallError::UnknownCall));
        platform.extended = Some([].into());
        assert_eq!(ask(&mut platform, extend), Ok(Served::Value(0)));
        let outside = Request::ExtendRegister { register: 2, digest: MEMORY - 47 };
        assert_eq!(ask(&mut platform, outside), Err(CallError::BadRange));
        assert_eq!(platform.extended, Some([(2, [7; 48])].into()));
    }

    #[test]
    fn firmwares_own_memory_and_what_is_not_there_are_refused() {
        let mut platform = FakePlatform::default();
        let refused = [
            Request::Console { text: ROM_DATA_PA, len: 1 },
            Request::Console { text: MEMORY - 1, len: 2 },
            Request::BootReport { data: ROM_DATA_PA, out: BLOBS_PA },
            Request::BootReport { data: BOOT_DATA_PA, out: BOOT_TEXT_PA },
        ];
        for request in refused {
            assert_eq!(ask(&mut platform, request), Err(CallError::BadRange), "{request:?}");
        }
        assert!(platform.lines.is_empty() && platform.reports.is_empty());
    }

    #[test]
    fn the_kernel_is_entered_at_its_place_only() {
        let mut platform = FakePlatform::default();
        let hand_over = |entry| Request::HandOver { entry, handoff: HANDOFF_PA };
        assert_eq!(ask(&mut platform, hand_over(KERNEL_TEXT_PA)), Ok(Served::HandOver));
        assert_eq!(ask(&mut platform, hand_over(ROM_DATA_PA)), Err(CallError::BadArgument));
    }

    #[test]
    fn marks_pass_and_the_kernels_calls_are_unknown() {
        let mut platform = FakePlatform::default();
        assert_eq!(ask(&mut platform, Request::Mark(Mark::Found)), Ok(Served::Value(0)));
        assert_eq!(platform.marks, [Mark::Found]);
        assert_eq!(ask(&mut platform, Request::Exit { code: 33 }), Ok(Served::Exit(33)));
        let wait = Request::Wait { deadline: 0 };
        assert_eq!(ask(&mut platform, wait), Err(CallError::UnknownCall));
    }
}
