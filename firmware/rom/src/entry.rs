//! Where firmware starts, and what its traps and panics call.
#![expect(unsafe_code, reason = "the program's own entry, symbols and sections")]

use core::arch::global_asm;
use vial_abi::launch_page::{C_BIT_AT, LaunchPage, Machine, TEE_AT, Tee};
use vial_abi::memory::{
    BOOT_STACK_TOP_PA, BOOT_TEXT_PA, DMA_BYTES, DMA_PA, HANDOFF_PA, KERNEL_TEXT_PA, LAUNCH_PAGE_PA,
    OTHER_CPUS_PA, Region, SHARED_END_PA, SHARED_PA, ghcb,
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
use vial_rom::tables::{self, HAND_OVER, LOW_DIRECTORY_PA, ROOT_PA, Tables};
use vial_snp::Refusal;
use vial_snp::ghcb::Ghcb;
use vial_snp::pages::{State, validate};

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
    // Other cpus with SEV-SNP: vial-launch has them start here, whenever the host likes. Until the kernel says where to go on they
    // stay in measured code.
    ".balign 16, 0x90",
    "vial_rom_other_cpu:",
    "cld",
    "2: mov eax, dword ptr [{other_cpus}]",
    "test eax, eax",
    "jnz 3f",
    "pause",
    "jmp 2b",
    "3: jmp eax",
    "vial_rom_first_cpu:",
    "cli",
    "cld",
    // With SEV-SNP the tables, which were linked without knowing, get the C-bit: paging has all memory shared otherwise.
    "cmp dword ptr [{tee}], 2",
    "jb 6f",
    "mov ecx, dword ptr [{c_bit}]",
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
    c_bit = const LAUNCH_PAGE_PA + C_BIT_AT,
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
        claim(ring0, secure, launch.memory_bytes).unwrap_or_else(|refusal| {
            let code = refusal.code();
            secure.seat(ring0).end(code.value())
        });
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

/// From here on the host sees the shared pages alone, and all other memory is this guest's own.
fn claim(ring0: Ring0, secure: Secure, memory_bytes: u64) -> Result<(), Refusal> {
    for patch in tables::shared() {
        // SAFETY: the low directory is in use and writable; nothing has used these pages yet.
        unsafe { x86_64::patch_entry(LOW_DIRECTORY_PA, patch.index, patch.entry, patch.va) };
    }
    secure.introduce(ring0, ghcb(0))?;
    secure.cpuid()?;
    // SAFETY: once, by the only cpu that runs Rust; the tables map the pages as it asks.
    unsafe { secure.publish() };
    let shared =
        [Region { pa: SHARED_PA, len: SHARED_END_PA - SHARED_PA }, Region { pa: DMA_PA, len: DMA_BYTES }];
    let mut seat = secure.seat(ring0);
    let mut ghcb = Ghcb::at(ghcb(0), &mut seat);
    shared.into_iter().try_for_each(|region| ghcb.set_state(region, State::Shared))?;
    for region in tables::unclaimed(memory_bytes) {
        ghcb.set_state(region, State::Private)?;
        validate(ghcb.processor, region.pa, region.len)?;
    }
    Ok(())
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
