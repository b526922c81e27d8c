//! The cases that run on firmware.
#![expect(unsafe_code, reason = "the program's entry symbol")]

use crate::load;
use vial_abi::LaunchPage;
use vial_abi::call::{Call, CallError, REPORT_OUT_BYTES};
use vial_abi::memory::{BOOT_DATA_PA, DMA_PA, HANDOFF_PA, KERNEL_TEXT_PA, ROM_DATA_PA};
use vial_abi::report::ReportResponse;
use vial_guests::case::{Case, FAILED, PASSED, Program, REPORT, SURVIVED};
use vial_guests::entry::{call, check, copy, execute, exit, page, port, raw_call, read, text, write};

/// Free memory in the boot program's data page.
const SCRATCH: u64 = BOOT_DATA_PA + 0x10_0000;
const RETURN: u8 = 0xC3;

#[unsafe(no_mangle)]
extern "C" fn vial_test_main(launch_page: u64) -> ! {
    let Ok(launch) = LaunchPage::decode(&page(launch_page)) else { exit(FAILED) };
    let Some(case) = Case::from_number(launch.manifest_digest[0]) else { exit(FAILED + 1) };
    if case.program() == Program::Engine {
        load::hand_over(launch);
    }
    run(case);
    exit(SURVIVED)
}

#[unsafe(no_mangle)]
extern "C" fn vial_test_cpu_main(_argument: u64) -> ! {
    exit(FAILED)
}

fn run(case: Case) {
    match case {
        Case::BootCalls => calls(),
        Case::BootReport => report(),
        Case::BootWriteText => write(text(), RETURN),
        Case::BootExecuteData => {
            write(SCRATCH, RETURN);
            execute(SCRATCH);
        }
        Case::BootReadRom => check(0, read(ROM_DATA_PA) == 0),
        Case::BootPort => port(),
        _ => exit(FAILED + 2),
    }
}

fn calls() -> ! {
    let line = |address, len| call(Call::Console, [address, len, 0]);
    copy(SCRATCH, b"firmware's console works");
    check(0, line(SCRATCH, 24) == 0);
    check(1, line(ROM_DATA_PA, 1) == CallError::BadRange.value());
    check(2, line(SCRATCH, 257) == CallError::BadArgument.value());
    check(3, line(SCRATCH, u64::MAX) == CallError::BadArgument.value());
    check(4, raw_call(99, [0; 3]) == CallError::UnknownCall.value());
    check(5, call(Call::Wait, [0; 3]) == CallError::UnknownCall.value());
    check(6, call(Call::HandOver, [KERNEL_TEXT_PA, DMA_PA, 0]) == CallError::BadArgument.value());
    check(7, call(Call::HandOver, [ROM_DATA_PA, HANDOFF_PA, 0]) == CallError::BadArgument.value());
    check(8, call(Call::BootReport, [SCRATCH, text(), 0]) == CallError::BadRange.value());
    check(9, call(Call::Mark, [0; 3]) == CallError::BadArgument.value());
    exit(PASSED)
}

fn report() -> ! {
    copy(SCRATCH, &[7; 64]);
    let length = call(Call::BootReport, [SCRATCH, SCRATCH + 0x1000, 0]);
    let response = page(SCRATCH + 0x1000);
    const { assert!(REPORT_OUT_BYTES >= 4096) };
    check(0, length > 0);
    check(1, ReportResponse::decode(&response).is_ok_and(|response| response.report == REPORT));
    exit(PASSED)
}
