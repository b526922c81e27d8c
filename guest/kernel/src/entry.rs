//! Where the kernel starts, and what its traps and panics call.
#![expect(unsafe_code, reason = "the program's own entry and symbols, and the switch of address space")]

use core::arch::global_asm;
use vial_abi::launch_page::Machine;
use vial_abi::memory::{ENGINE_VA, HANDOFF_PA, LINEAR_VA, STACK_STRIDE, STACKS_VA, ram};
use vial_abi::{ExitCode, Handoff, Mark};
use vial_hal::apic::{self, Timer};
use vial_hal::clock::{self, Clock};
use vial_hal::features::Features;
use vial_hal::platform::Console as _;
use vial_hal::request::{Request, Served, encode};
use vial_hal::serial::console_line;
use vial_hal::trap::Frame;
use vial_hal::x86_64::{
    self, Hardware, IoApic, LocalApic, Once, Ring0, Secure, Start, Starting, TablePool, handoff_page,
    kvm_time,
};
use vial_kernel::layout::{
    self, DATA_TABLE, EngineMemory, FAULT_STACK_TOP, POOL_PA, POOL_TABLES, RING0_STACK_STRIDE, STACKS_PA,
};
use vial_kernel::service::Kernel;

const FIRST_STACK_TOP: u64 = STACKS_PA + RING0_STACK_STRIDE;

// Entered by firmware's hand-over in long mode; the first byte of the kernel's text.
global_asm!(
    ".section .text.vial_kernel_start, \"ax\"",
    ".global vial_kernel_start",
    "vial_kernel_start:",
    "mov esp, {stack}",
    "call vial_kernel_main",
    "ud2",
    stack = const FIRST_STACK_TOP,
);

struct Running {
    kernel: Kernel,
    hardware: Hardware,
}

static RUNNING: Once<Running> = Once::empty();

#[unsafe(no_mangle)]
extern "C" fn vial_kernel_main() -> ! {
    // SAFETY: firmware hands over in ring 0 and never runs again.
    let ring0 = unsafe { Ring0::assume() };
    // SAFETY: firmware's tables and ours map the page writable for ring 0; called once, and ring 3 is entered after
    // the last use.
    let page = unsafe { handoff_page() };
    let mut hardware = Hardware { ring0, machine: Machine::Vial, timer: Timer::OneShot, tsc_khz: 0 };
    let handoff = Handoff::decode(page).unwrap_or_else(|_| refuse(ring0));
    let secure = Secure::of(handoff.launch.tee);
    if let Some(secure) = secure {
        // SAFETY: once, before other cpus start; firmware's tables and those of `layout::build` map the pages so.
        unsafe { secure.publish() };
    }
    hardware.mark(Mark::Kernel);
    let starting = take_over(ring0, &handoff);
    if let Some(secure) = secure {
        // Firmware's tables do not map memory above the device hole.
        let [_, high] = ram(handoff.launch.memory_bytes);
        secure.claim(ring0, LINEAR_VA + high.pa, high);
    }
    x86_64::prepare_vectors(ring0, starting.features);
    hardware.machine = handoff.launch.machine;
    let clock = read_clock(ring0, starting.features);
    hardware.tsc_khz = clock.tsc_khz;
    hardware.timer = x86_64::prepare_interrupts(ring0, starting.features);
    apic::route_devices(&mut IoApic, hardware.machine);
    Handoff::encode_clock(page, clock.tsc_khz, clock.unix_ns, clock.unix_tsc);
    starting.publish();
    let kernel = Kernel::new(handoff).unwrap_or_else(|_| refuse(ring0));
    // SAFETY: set here only, once, before other cpus start.
    unsafe { RUNNING.set(Running { kernel, hardware }) };
    let stack_top = STACKS_VA + STACK_STRIDE;
    x86_64::enter(ring0, Start { entry: ENGINE_VA, stack_top, argument: LINEAR_VA + HANDOFF_PA })
}

/// Leaves firmware's descriptors and tables for the kernel's own.
fn take_over(ring0: Ring0, handoff: &Handoff) -> Starting {
    let features = Features::detect(&ring0);
    let memory = EngineMemory::from_handoff(handoff).unwrap_or_else(|_| refuse(ring0));
    // SAFETY: the kernel's image ends below the pool, which its loader zeroed; firmware's tables map it writable.
    let pool = unsafe { TablePool::new(POOL_PA, POOL_TABLES) };
    let data_table = (&raw const DATA_TABLE).addr() as u64;
    let tee = handoff.launch.tee;
    let space = layout::build(pool, features.has_giant_pages, tee, data_table, &memory);
    let space = space.unwrap_or_else(|_| refuse(ring0));
    let root = space.root();
    let starting = Starting {
        root: u32::try_from(root).unwrap_or(0),
        features,
        first_stack_top: FIRST_STACK_TOP,
        stack_stride: RING0_STACK_STRIDE,
        fault_stack_top: FAULT_STACK_TOP,
    };
    // SAFETY: cpu 0, first load by the kernel, with firmware's equal selectors; the stacks are the kernel's own.
    unsafe { x86_64::load_segments(0, starting.stacks(0)) };
    // SAFETY: firmware's tables map low memory writable, and firmware is over.
    unsafe { x86_64::write_trampoline() };
    // SAFETY: `layout::build` maps kernel text, data and stacks at their physical addresses.
    unsafe { x86_64::switch_to(root | space.private()) };
    starting
}

/// Frequency and wall clock, by the best source there is.
fn read_clock(ring0: Ring0, features: Features) -> Clock {
    let by_kvm = if features.has_kvm_clock { kvm_time(ring0).and_then(|time| time.clock()) } else { None };
    let by_cpuid = clock::tsc_khz(&ring0);
    let known = by_cpuid.or(by_kvm.map(|clock| clock.tsc_khz));
    let tsc_khz = known.unwrap_or_else(|| measured_khz(ring0, features));
    Clock { tsc_khz, ..by_kvm.unwrap_or_default() }
}

/// Counts for one millisecond.
fn measured_khz(ring0: Ring0, features: Features) -> u64 {
    let mut apic = LocalApic::switch_on(ring0, features.has_x2apic);
    apic::start_count(&mut apic);
    let first = ring0.tsc();
    loop {
        let ticks = u64::from(apic::counted(&apic));
        if ticks >= clock::APIC_TICKS_PER_MS {
            return clock::tsc_khz_by_apic(ring0.tsc() - first, ticks).unwrap_or(1);
        }
    }
}

fn refuse(mut ring0: Ring0) -> ! {
    let code = ExitCode::HandoffForm;
    console_line(&mut ring0, code.text().as_bytes());
    x86_64::exit(ring0, code.value())
}

#[unsafe(no_mangle)]
extern "C" fn vial_call(frame: &mut Frame) {
    let Some(running) = RUNNING.value() else { return };
    let mut hardware = running.hardware;
    let served = Request::decode(frame.rax, [frame.rdi, frame.rsi, frame.rdx])
        .and_then(|request| running.kernel.serve(&mut hardware, cpu_of(frame), request));
    frame.rax = match served {
        Ok(Served::Value(value)) => value,
        Ok(Served::Exit(code)) => x86_64::exit(hardware.ring0, code),
        Ok(Served::HandOver) => 0,
        Err(error) => encode(Err(error)),
    };
}

/// Each cpu has its own ring-0 stack, so the frame's address tells which one it is.
fn cpu_of(frame: &Frame) -> u32 {
    let offset = (&raw const *frame).addr() as u64 - STACKS_PA;
    u32::try_from(offset / RING0_STACK_STRIDE).unwrap_or(0)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    x86_64::panicked(info, ExitCode::KernelPanic)
}
