//! Where firmware starts, and what its traps and panics call.
#![expect(unsafe_code, reason = "the program's own entry, symbols and sections")]

use core::arch::global_asm;
use vial_abi::launch_page::{BIT_AT, LaunchPage, Machine, TEE_AT, Tee};
use vial_abi::memory::{
    BOOT_STACK_TOP_PA, BOOT_TEXT_PA, HANDOFF_PA, KERNEL_TEXT_PA, LAUNCH_PAGE_PA, MAX_CPUS, OTHER_CPUS_PA,
};
use vial_abi::{ExitCode, Mark, port};
use vial_hal::apic::Timer;
use vial_hal::features::Features;
use vial_hal::platform::Console as _;
use vial_hal::range::UserSpans;
use vial_hal::request::{Request, Served, encode};
use vial_hal::serial::Serial;
use vial_hal::trap::Frame;
use vial_hal::x86_64::{self, Hardware, Once, Ring0, Secure, Stacks, Start};
use vial_rom::service;
use vial_rom::tables::{HAND_OVER, LOW_DIRECTORY_PA, ROOT_PA, Tables};

use crate::claim::claim;

// PVH: 32-bit protected mode, paging off. Spec: Xen docs/misc/pvh.pandoc, XEN_ELFNOTE_PHYS32_ENTRY (18).
global_asm!(
    ".section .note.pvh, \"a\", @note",
    ".balign 4",
    ".long 4, 8, 18",
    ".asciz \"Xen\"",
    ".quad vial_rom_start",
    ".section .text.vial_rom_start, \"ax\"",
    ".balign 16",
    ".code32",
    ".global vial_rom_start",
    "vial_rom_start:",
    "jmp vial_rom_first_cpu",
    // Other cpus with SEV-SNP and TDX: vial-launch has them start here, whenever the host likes, with their number in ESI, which the
    // TDX module says; with SEV-SNP it is zero. Until the kernel says in the word of that number where to go on they stay in measured
    // code, and those that no appliance has for ever.
    ".balign 16, 0x90",
    "vial_rom_other_cpu:",
    "cld",
    "2: pause",
    "cmp esi, {cpus}",
    "jae 2b",
    "mov eax, dword ptr [{other_cpus} + 4 * esi]",
    "test eax, eax",
    "jz 2b",
    "jmp eax",
    "vial_rom_first_cpu:",
    "cli",
    "cld",
    // With SEV-SNP the tables, which were linked without knowing, get the C-bit: paging has all memory shared otherwise. With TDX it
    // has all private.
    "cmp dword ptr [{tee}], 2",
    "jb 6f",
    "cmp dword ptr [{tee}], 3",
    "ja 6f",
    "mov ecx, dword ptr [{bit}]",
    "mov edx, 1",
    "shl edx, cl",
    "mov eax, {root}",
    "mov ecx, {entries}",
    "4: test byte ptr [eax], 1",
    "jz 5f",
    "or dword ptr [eax + 4], edx",
    "5: add eax, 8",
    "loop 4b",
    "6: mov eax, {root}",
    "mov edi, offset vial_rom_start_64",
    "jmp vial_long_mode",
    ".code64",
    "vial_rom_start_64:",
    "lea rsp, [rip + vial_rom_stack_top]",
    "call vial_rom_main",
    "ud2",
    root = const ROOT_PA,
    entries = const size_of::<Tables>() / 8,
    other_cpus = const OTHER_CPUS_PA,
    tee = const LAUNCH_PAGE_PA + TEE_AT,
    bit = const LAUNCH_PAGE_PA + BIT_AT,
    cpus = const MAX_CPUS,
);

#[unsafe(link_section = ".tables")]
#[used]
static TABLES: Tables = Tables::INITIAL;

unsafe extern "C" {
    static vial_rom_stack_top: u8;
}

struct Firmware {
    hardware: Hardware,
    memory_bytes: u64,
    tee: Tee,
}

static FIRMWARE: Once<Firmware> = Once::empty();

#[unsafe(no_mangle)]
extern "C" fn vial_rom_main() -> ! {
    // SAFETY: the entry above is reached in ring 0, and this is the only program.
    let mut ring0 = unsafe { Ring0::assume() };
    let mut hardware = Hardware { ring0, machine: Machine::Vial, timer: Timer::OneShot, tsc_khz: 0 };
    let launch = launch(ring0);
    if let Some(secure) = Secure::of(launch.tee) {
        claim(ring0, secure, &launch).unwrap_or_else(|code| secure.end(ring0, code));
    }
    hardware.mark(Mark::Firmware);
    let stack_top = (&raw const vial_rom_stack_top).addr() as u64;
    // SAFETY: first cpu, first load, selectors of `vial_long_mode`; a double fault ends firmware, so its stack may
    // be the same.
    unsafe { x86_64::load_segments(0, Stacks { trap: stack_top, fault: stack_top }) };
    Serial::new(&mut ring0, port::SERIAL).set_up();
    hardware.machine = launch.machine;
    x86_64::prepare_vectors(ring0, Features::detect(&ring0));
    // SAFETY: set here only, once.
    unsafe { FIRMWARE.set(Firmware { hardware, memory_bytes: launch.memory_bytes, tee: launch.tee }) };
    let start = Start { entry: BOOT_TEXT_PA, stack_top: BOOT_STACK_TOP_PA, argument: LAUNCH_PAGE_PA };
    x86_64::enter(ring0, start)
}

fn launch(mut ring0: Ring0) -> LaunchPage {
    // SAFETY: firmware's tables map the page.
    let head = unsafe { x86_64::launch_head() };
    LaunchPage::decode_head(&head).unwrap_or_else(|_| {
        let code = ExitCode::LaunchPage;
        vial_hal::serial::console_line(&mut ring0, code.text().as_bytes());
        x86_64::exit(ring0, code.value())
    })
}

#[unsafe(no_mangle)]
extern "C" fn vial_call(frame: &mut Frame) {
    let Some(firmware) = FIRMWARE.value() else { return };
    let mut hardware = firmware.hardware;
    let spans = service::spans(firmware.memory_bytes);
    let served = Request::decode(frame.rax, [frame.rdi, frame.rsi, frame.rdx])
        .and_then(|request| service::serve(&mut hardware, UserSpans(&spans), request));
    frame.rax = match served {
        Ok(Served::Value(value)) => value,
        Ok(Served::Exit(code)) => x86_64::exit(hardware.ring0, code),
        Ok(Served::HandOver) => hand_over(firmware.tee),
        Err(error) => encode(Err(error)),
    };
}

fn hand_over(tee: Tee) -> ! {
    for patch in HAND_OVER {
        let entry = patch.entry | tee.private_flag();
        // SAFETY: the low directory is in use and writable; ring 3, which used the pages, never runs again.
        unsafe { x86_64::patch_entry(LOW_DIRECTORY_PA, patch.index, entry, patch.va) };
    }
    // SAFETY: the boot program has placed and checked the kernel, whose text is now executable.
    unsafe { x86_64::jump_to_kernel(KERNEL_TEXT_PA, HANDOFF_PA) }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    x86_64::panicked(info, ExitCode::FirmwarePanic)
}
