//! Serving the engine's calls.

use crate::layout::{EngineMemory, LayoutError};
use crate::report::report_data;
use crate::spans::EngineSpans;
use vial_abi::Handoff;
use vial_abi::call::{CONSOLE_MAX, CallError, REPORT_OUT_BYTES};
use vial_abi::memory::{ENGINE_RODATA_OFFSET, ENGINE_VA};
use vial_abi::report::REQUEST_BYTES;
use vial_hal::platform::{Console, Cpus, Devices, Tee, UserMemory};
use vial_hal::request::{Request, Served};

/// What the call service knows; the same for all cpus and never changed.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    handoff: Handoff,
    spans: EngineSpans,
}

impl Kernel {
    /// The service for the appliance `handoff` describes.
    ///
    /// # Errors
    /// [`LayoutError::NoHeap`].
    pub const fn new(handoff: Handoff) -> Result<Self, LayoutError> {
        match EngineMemory::from_handoff(&handoff) {
            Ok(memory) => Ok(Self { handoff, spans: EngineSpans::new(&memory) }),
            Err(error) => Err(error),
        }
    }

    /// Serves one request of ring 3 on `cpu`.
    ///
    /// # Errors
    /// Why the call was refused.
    pub fn serve(
        &self,
        platform: &mut (impl Console + Cpus + Devices + Tee + UserMemory),
        cpu: u32,
        request: Request,
    ) -> Result<Served, CallError> {
        match request {
            Request::Wait { deadline } => platform.wait(deadline),
            Request::WakeCpu { cpu } => platform.wake(self.known(cpu)?),
            Request::Mark(mark) => platform.mark(mark),
            Request::Console { text, len } => self.print(platform, cpu, text, len)?,
            Request::StartCpu { cpu, entry, argument } => {
                platform.start(self.known(cpu)?, engine_text(entry)?, argument)?;
            }
            Request::Report { request, out } => return self.report(platform, cpu, request, out),
            Request::Exit { code } => return Ok(Served::Exit(code)),
            Request::ReadDevice { offset } => {
                return platform.read_device(offset).map(|value| Served::Value(value.into()));
            }
            Request::WriteDevice { offset, value } => platform.write_device(offset, value)?,
            Request::BootReport { .. } | Request::HandOver { .. } | Request::ExtendRegister { .. } => {
                return Err(CallError::UnknownCall);
            }
        }
        Ok(Served::Value(0))
    }

    fn known(&self, cpu: u32) -> Result<u32, CallError> {
        (cpu < self.handoff.launch.cpus).then_some(cpu).ok_or(CallError::BadArgument)
    }

    fn print(
        &self,
        platform: &mut (impl Console + UserMemory),
        cpu: u32,
        text: u64,
        len: usize,
    ) -> Result<(), CallError> {
        let from = self.spans.input(cpu, text, widen(len))?;
        let mut line = [0; CONSOLE_MAX];
        let len = platform.copy_in(from, &mut line);
        platform.line(line.get(..len).unwrap_or_default());
        Ok(())
    }

    fn report(
        &self,
        platform: &mut (impl Tee + UserMemory),
        cpu: u32,
        request: u64,
        out: u64,
    ) -> Result<Served, CallError> {
        let from = self.spans.input(cpu, request, widen(REQUEST_BYTES))?;
        let out = self.spans.output(cpu, out, widen(REPORT_OUT_BYTES))?;
        let mut request = [0; REQUEST_BYTES];
        platform.copy_in(from, &mut request);
        let data = report_data(&self.handoff, &request)?;
        let deliver =
            |platform: &mut _, response: &[u8]| widen(UserMemory::copy_out(platform, out, response));
        platform.report(&data, deliver).map(Served::Value)
    }
}

/// Other cpus start in the engine's text only.
fn engine_text(entry: u64) -> Result<u64, CallError> {
    let is_text = (ENGINE_VA..ENGINE_VA + ENGINE_RODATA_OFFSET).contains(&entry);
    is_text.then_some(entry).ok_or(CallError::BadArgument)
}

fn widen(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::tests::handoff;
    use vial_abi::Mark;
    use vial_abi::memory::{KERNEL_DATA_PA, LINEAR_VA, STACK_STRIDE, STACKS_VA};
    use vial_abi::report::{Purpose, ReportRequest};
    use vial_hal::fake::FakePlatform;

    /// On cpu 0's stack.
    const BUFFER: u64 = STACKS_VA + STACK_STRIDE - 0x8000;

    fn ask(platform: &mut FakePlatform, request: Request) -> Result<Served, CallError> {
        Kernel::new(handoff(512 << 20, 2)).unwrap().serve(platform, 0, request)
    }

    #[test]
    fn waiting_waking_and_marks_pass() {
        let mut platform = FakePlatform::default();
        for request in
            [Request::Wait { deadline: 9 }, Request::WakeCpu { cpu: 1 }, Request::Mark(Mark::Engine)]
        {
            assert_eq!(ask(&mut platform, request), Ok(Served::Value(0)));
        }
        assert_eq!(
            (platform.waits, platform.woken, platform.marks),
            ([9].into(), [1].into(), [Mark::Engine].into())
        );
    }

    #[test]
    fn a_cpu_starts_once_and_in_the_engines_text() {
        let mut platform = FakePlatform::default();
        let start = |cpu, entry| Request::StartCpu { cpu, entry, argument: 7 };
        assert_eq!(ask(&mut platform, start(1, ENGINE_VA)), Ok(Served::Value(0)));
        for refused in [start(1, ENGINE_VA), start(2, ENGINE_VA), start(1, KERNEL_DATA_PA)] {
            assert_eq!(ask(&mut platform, refused), Err(CallError::BadArgument), "{refused:?}");
        }
        assert_eq!(ask(&mut platform, Request::WakeCpu { cpu: 2 }), Err(CallError::BadArgument));
    }

    #[test]
    fn a_report_binds_the_handoff() {
        let mut platform = FakePlatform { response: Some([8; 40].into()), ..FakePlatform::default() };
        let request = ReportRequest { purpose: Purpose::Attestation, nonce: [4; 64], channel_key: [5; 32] };
        platform.put(BUFFER, &request.encode());
        let call = Request::Report { request: BUFFER, out: BUFFER + 0x1000 };
        assert_eq!(ask(&mut platform, call), Ok(Served::Value(40)));
        let expected = report_data(&handoff(512 << 20, 2), &request.encode()).unwrap();
        assert_eq!(platform.reports, [expected]);
        assert_eq!(platform.bytes(BUFFER + 0x1000, 40), [8; 40]);
    }

    #[test]
    fn a_report_without_tee_or_into_the_kernel_is_refused() {
        let mut platform = FakePlatform::default();
        let request = ReportRequest { purpose: Purpose::Attestation, nonce: [0; 64], channel_key: [0; 32] };
        platform.put(BUFFER, &request.encode());
        let call = |out| Request::Report { request: BUFFER, out };
        assert_eq!(ask(&mut platform, call(KERNEL_DATA_PA)), Err(CallError::BadRange));
        assert!(platform.reports.is_empty());
        assert_eq!(ask(&mut platform, call(BUFFER + 0x1000)), Err(CallError::NoTee));
    }

    #[test]
    fn lines_come_from_the_engines_memory() {
        let mut platform = FakePlatform::default();
        platform.put(BUFFER, b"listening");
        let print = |text| Request::Console { text, len: 9 };
        assert_eq!(ask(&mut platform, print(BUFFER)), Ok(Served::Value(0)));
        assert_eq!(ask(&mut platform, print(LINEAR_VA)), Err(CallError::BadRange));
        assert_eq!(platform.lines, [b"listening"]);
    }

    #[test]
    fn devices_are_reached_by_call_where_ring_3_does_not_see_them() {
        let (read, write) = (Request::ReadDevice { offset: 8 }, Request::WriteDevice { offset: 8, value: 7 });
        let mut platform = FakePlatform::default();
        assert_eq!(ask(&mut platform, read), Err(CallError::UnknownCall));
        assert_eq!(ask(&mut platform, write), Err(CallError::UnknownCall));
        platform.devices = Some([].into());
        assert_eq!(ask(&mut platform, write), Ok(Served::Value(0)));
        assert_eq!(ask(&mut platform, read), Ok(Served::Value(7)));
    }

    #[test]
    fn firmwares_calls_are_unknown() {
        let mut platform = FakePlatform::default();
        let call = Request::BootReport { data: BUFFER, out: BUFFER };
        assert_eq!(ask(&mut platform, call), Err(CallError::UnknownCall));
        platform.extended = Some([].into());
        let extend = Request::ExtendRegister { register: 0, digest: BUFFER };
        assert_eq!(ask(&mut platform, extend), Err(CallError::UnknownCall));
        assert_eq!(ask(&mut platform, Request::Exit { code: 80 }), Ok(Served::Exit(80)));
    }
}
