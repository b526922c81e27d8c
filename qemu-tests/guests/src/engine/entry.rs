//! The cases that run on the kernel.
#![expect(unsafe_code, reason = "the program's entry symbols")]

use core::sync::atomic::{AtomicU64, Ordering};
use vial_abi::call::{Call, CallError};
use vial_abi::memory::{
    BLOBS_PA, ENGINE_DATA_OFFSET, ENGINE_RODATA_OFFSET, ENGINE_VA, HANDOFF_PA, KERNEL_DATA_PA, LARGE_PAGE,
    LINEAR_VA, STACK_STRIDE, STACKS_VA, heap,
};
use vial_abi::report::{Purpose, ReportRequest, ReportResponse};
use vial_abi::{Handoff, Mark};
use vial_guests::case::{Case, FAILED, PASSED, REPORT, SURVIVED};
use vial_guests::entry::{
    call, check, copy, execute, exit, page, privileged, raw_call, read, text, tsc, undefined, vector_bytes,
    write,
};

/// Free memory in the engine's data.
const SCRATCH: u64 = ENGINE_VA + ENGINE_DATA_OFFSET + LARGE_PAGE / 2;
const RETURN: u8 = 0xC3;
const NO_DEADLINE: u64 = u64::MAX;

/// Steps the second cpu has made.
static STEPS: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    /// First instruction of another cpu.
    fn vial_test_cpu();
}

#[unsafe(no_mangle)]
extern "C" fn vial_test_main(handoff: u64) -> ! {
    call(Call::Mark, [Mark::Engine.value().into(), 0, 0]);
    let Ok(handoff) = Handoff::decode(&page(handoff)) else { exit(FAILED) };
    let Some(case) = Case::from_number(handoff.launch.manifest_digest[0]) else { exit(FAILED + 1) };
    run(case, &handoff);
    exit(SURVIVED)
}

fn run(case: Case, handoff: &Handoff) {
    match case {
        Case::Calls => calls(handoff),
        Case::Timer => timer(handoff),
        Case::SecondCpu => second_cpu(),
        Case::Report => report(),
        Case::Vectors => vectors(),
        Case::WriteText => write(text(), RETURN),
        Case::WriteConstants => write(ENGINE_VA + ENGINE_RODATA_OFFSET, 1),
        Case::ExecuteData => {
            write(SCRATCH, RETURN);
            execute(SCRATCH);
        }
        Case::ReadKernel => check(0, read(KERNEL_DATA_PA) == 0),
        Case::WriteBlobs => write(LINEAR_VA + BLOBS_PA, 1),
        Case::WriteHandoff => write(LINEAR_VA + HANDOFF_PA, 1),
        Case::StackGuard => write(STACKS_VA + STACK_STRIDE - LARGE_PAGE - 1, 1),
        Case::Undefined => undefined(),
        Case::Privileged => privileged(),
        Case::Exit => exit(77),
        _ => exit(FAILED + 2),
    }
}

fn calls(handoff: &Handoff) -> ! {
    let line = |address, len| call(Call::Console, [address, len, 0]);
    copy(SCRATCH, b"the kernel's console works");
    check(0, line(SCRATCH, 26) == 0);
    check(1, line(KERNEL_DATA_PA, 1) == CallError::BadRange.value());
    check(2, line(LINEAR_VA + KERNEL_DATA_PA, 1) == CallError::BadRange.value());
    check(3, raw_call(0, [0; 3]) == CallError::UnknownCall.value());
    check(4, call(Call::BootReport, [SCRATCH; 3]) == CallError::UnknownCall.value());
    check(5, call(Call::StartCpu, [0, text(), 0]) == CallError::BadArgument.value());
    check(6, call(Call::StartCpu, [64, text(), 0]) == CallError::BadArgument.value());
    check(7, call(Call::WakeCpu, [64, 0, 0]) == CallError::BadArgument.value());
    check(8, call(Call::Report, [SCRATCH, LINEAR_VA + HANDOFF_PA, 0]) == CallError::BadRange.value());
    let [low, _] = heap(handoff.launch.memory_bytes, handoff.launch.cpus, handoff.blobs_bytes);
    for address in [low.pa, low.pa + low.len - 1] {
        write(LINEAR_VA + address, 0x5A);
        check(9, read(LINEAR_VA + address) == 0x5A);
    }
    exit(PASSED)
}

fn timer(handoff: &Handoff) -> ! {
    const YEAR_2024_NS: u64 = 1_704_067_200_000_000_000;
    check(0, (100_000..10_000_000).contains(&handoff.tsc_khz));
    check(3, handoff.unix_ns == 0 || handoff.unix_ns > YEAR_2024_NS && handoff.unix_tsc < tsc());
    let start = tsc();
    call(Call::Wait, [start, 0, 0]);
    check(1, tsc() - start < 500 * handoff.tsc_khz);
    for _ in 0..5 {
        let start = tsc();
        let deadline = start + 20 * handoff.tsc_khz;
        while tsc() < deadline {
            call(Call::Wait, [deadline, 0, 0]);
        }
        check(2, tsc() - start < 1000 * handoff.tsc_khz);
    }
    exit(PASSED)
}

fn second_cpu() -> ! {
    start_second_cpu();
    let again = call(Call::StartCpu, [1, text(), 0]);
    check(1, again == CallError::BadArgument.value());
    for step in 1..=20 {
        await_steps(step);
        call(Call::WakeCpu, [1, 0, 0]);
    }
    await_steps(21);
    exit(PASSED)
}

fn start_second_cpu() {
    let entry = (vial_test_cpu as *const ()).addr() as u64;
    check(0, call(Call::StartCpu, [1, entry, 0xABCD]) == 0);
}

fn await_steps(count: u64) {
    while STEPS.load(Ordering::Acquire) < count {
        call(Call::Wait, [NO_DEADLINE, 0, 0]);
    }
}

/// Counts a step, wakes cpu 0, sleeps until it is woken.
#[unsafe(no_mangle)]
extern "C" fn vial_test_cpu_main(argument: u64, stack: u64) -> ! {
    check(3, argument == 0xABCD && stack % 16 == 8 && vector_bytes() >= 16);
    loop {
        STEPS.fetch_add(1, Ordering::Release);
        call(Call::WakeCpu, [0, 0, 0]);
        call(Call::Wait, [NO_DEADLINE, 0, 0]);
    }
}

fn report() -> ! {
    let request = ReportRequest { purpose: Purpose::Attestation, nonce: [4; 64], channel_key: [5; 32] };
    copy(SCRATCH, &request.encode());
    let length = call(Call::Report, [SCRATCH, SCRATCH + 0x1000, 0]);
    check(0, length > 0);
    let response = page(SCRATCH + 0x1000);
    check(1, ReportResponse::decode(&response).is_ok_and(|response| response.report == REPORT));
    let boot = ReportRequest { purpose: Purpose::Boot, ..request };
    copy(SCRATCH, &boot.encode());
    let refused = call(Call::Report, [SCRATCH, SCRATCH + 0x1000, 0]);
    check(2, refused == CallError::BadArgument.value());
    exit(PASSED)
}

fn vectors() -> ! {
    check(0, vector_bytes() >= 16);
    start_second_cpu();
    await_steps(1);
    exit(PASSED)
}
