//! The guest's memory map. All areas start and end on 2 MiB so that each is mapped by large pages.
//!
//! | physical address | content | ring 3 (firmware) | ring 3 (engine) |
//! |---|---|---|---|
//! | 0 | start info, AP trampoline at [`TRAMPOLINE_PA`]; with SEV-SNP and TDX pages shared with the host from [`SHARED_PA`] | none | none |
//! | [`ROM_TEXT_PA`] | firmware ring 0, text and constants | none | none |
//! | [`ROM_DATA_PA`] | firmware ring 0, data; its last pages are [`OTHER_CPUS_PA`] with SEV-SNP and TDX, [`SECRETS_PA`] and [`CPUID_PA`] with SEV-SNP | none | none |
//! | [`BOOT_TEXT_PA`] | firmware boot program, text and constants | RX | none |
//! | [`BOOT_DATA_PA`] | its data, stack; last page is the launch page | RW | none |
//! | [`KERNEL_TEXT_PA`] | kernel text and constants | RW, then none | none |
//! | [`KERNEL_DATA_PA`] | kernel data; last page is the handoff page | RW, then none | handoff: R |
//! | [`ENGINE_PA`] | engine image: text, constants, data | RW | RX, R, RW |
//! | [`DMA_PA`] | the only memory a device writes: queues, windows | RW | RW |
//! | [`BLOBS_PA`] | manifest, event log, bundle, tree, boot report | RW | R |
//! | end of blobs, rounded up | [`stacks`], one large page a cpu | RW | at [`STACKS_VA`]: RW |
//! | end of stacks | [`heap`], to the end of memory | RW | RW |
//!
//! Memory above 3 GiB continues at 4 GiB; the hole holds device registers.

/// Size of a large page in bytes.
pub const LARGE_PAGE: u64 = 2 << 20;
/// Size of a small page in bytes.
pub const PAGE: u64 = 4 << 10;
/// Where the second cpu starts in real mode.
pub const TRAMPOLINE_PA: u64 = 0x8000;
/// SEV-SNP and TDX: pages that ring 0 shares with the host; with SEV-SNP [`ghcb`] of each cpu first.
pub const SHARED_PA: u64 = 0x10_0000;
/// SEV-SNP: the message to the secure processor.
pub const REQUEST_PA: u64 = ghcb(MAX_CPUS);
/// SEV-SNP: its answer.
pub const RESPONSE_PA: u64 = REQUEST_PA + PAGE;
/// SEV-SNP and TDX: the host's clock.
pub const CLOCK_PA: u64 = RESPONSE_PA + PAGE;
/// SEV-SNP: certificates that the host adds to an answer; ring 3 reads them.
pub const CERTIFICATES_PA: u64 = CLOCK_PA + PAGE;
/// Bytes of [`CERTIFICATES_PA`].
pub const CERTIFICATES_BYTES: u64 = 3 * PAGE;
/// TDX: report and quote on their way to and from the host's quoting service.
pub const QUOTE_PA: u64 = CERTIFICATES_PA + CERTIFICATES_BYTES;
/// Bytes of [`QUOTE_PA`]: a header and the largest quote.
pub const QUOTE_BYTES: u64 = 5 * PAGE;
/// SEV-SNP and TDX: end of the pages that ring 0 shares with the host.
pub const SHARED_END_PA: u64 = QUOTE_PA + QUOTE_BYTES;
/// SEV-SNP and TDX: tells the other cpus where to go on, in a word of 32 bits for each (with SEV-SNP the first, for all: they come
/// one at a time); zero until the kernel runs.
pub const OTHER_CPUS_PA: u64 = 0x5F_D000;
/// SEV-SNP: what the secure processor tells the guest alone. Spec: AMD 56860 rev 1.58 §8.17.2.5.
pub const SECRETS_PA: u64 = 0x5F_E000;
/// SEV-SNP: what CPUID may say, checked by the secure processor. Spec: AMD 56860 rev 1.58 §8.17.2.6.
pub const CPUID_PA: u64 = 0x5F_F000;
/// Firmware ring 0: text and constants.
pub const ROM_TEXT_PA: u64 = 0x20_0000;
/// Firmware ring 0: data, bss, stack.
pub const ROM_DATA_PA: u64 = 0x40_0000;
/// Boot program: text and constants; its first byte is its entry point.
pub const BOOT_TEXT_PA: u64 = 0x60_0000;
/// Boot program: data, bss, stack.
pub const BOOT_DATA_PA: u64 = 0x80_0000;
/// Top of the boot program's stack; the stack shares [`BOOT_DATA_PA`]'s large page and grows down.
pub const BOOT_STACK_TOP_PA: u64 = 0x9F_F000;
/// The launch page: placed by the VMM, measured.
pub const LAUNCH_PAGE_PA: u64 = 0x9F_F000;
/// Kernel text and constants; its first byte is its entry point.
pub const KERNEL_TEXT_PA: u64 = 0xA0_0000;
/// Kernel data, bss, stacks.
pub const KERNEL_DATA_PA: u64 = 0xC0_0000;
/// The handoff page: written by firmware, completed by the kernel, then read-only for the engine.
pub const HANDOFF_PA: u64 = 0xDF_F000;
/// Engine image; [`ENGINE_VA`] maps here.
pub const ENGINE_PA: u64 = 0xE0_0000;
/// Bytes reserved for the engine image: text 6 MiB, constants 2 MiB, data and bss 2 MiB.
pub const ENGINE_BYTES: u64 = 0xA0_0000;
/// Engine image: virtual address of its first byte, which is its entry point.
pub const ENGINE_VA: u64 = 0x4000_0000;
/// Offset of the engine's constants from its first byte.
pub const ENGINE_RODATA_OFFSET: u64 = 0x60_0000;
/// Offset of the engine's data from its first byte.
pub const ENGINE_DATA_OFFSET: u64 = 0x80_0000;
/// DMA window: every virtqueue and device buffer lies inside.
pub const DMA_PA: u64 = 0x180_0000;
/// Bytes of the DMA window.
pub const DMA_BYTES: u64 = 0x80_0000;
/// Sealed blobs that outlive the firmware.
pub const BLOBS_PA: u64 = 0x200_0000;
/// Most bytes all blobs together may take.
pub const BLOBS_MAX_BYTES: u64 = 0x100_0000;
/// Start of the firmware's own heap, dropped at hand-over.
pub const BOOT_HEAP_PA: u64 = BLOBS_PA + BLOBS_MAX_BYTES;
/// The engine sees physical address `pa` of DMA window, blobs, heap and device registers here + `pa`.
pub const LINEAR_VA: u64 = 0x100_0000_0000;
/// Virtual address of cpu 0's stack area; cpu `n`'s lies `n * STACK_STRIDE` above. The lower half of each
/// area is a guard.
pub const STACKS_VA: u64 = 0x80_0000_0000;
/// Distance between two cpus' stack areas.
pub const STACK_STRIDE: u64 = 0x40_0000;
/// End of memory below the device hole.
pub const LOW_END_PA: u64 = 0xC000_0000;
/// Start of memory above the device hole.
pub const HIGH_PA: u64 = 0x1_0000_0000;
/// One page with all virtio-mmio slots.
pub const VIRTIO_PA: u64 = 0xFEB0_0000;
/// Bytes of one virtio-mmio slot.
pub const VIRTIO_SLOT_BYTES: u64 = 512;
/// Number of virtio-mmio slots.
pub const VIRTIO_SLOTS: u64 = 8;
/// I/O APIC pin of slot 0; slot `n` has pin `VIRTIO_IRQ + n`.
pub const VIRTIO_IRQ: u32 = 5;
/// Vector of devices' interrupts on cpu 0: our VMM sends it as a message, and QEMU's pins are routed to it. Not the
/// timer's: the APIC keeps one trigger mode a vector, so that an edge of the timer would make the end of a
/// level-triggered interrupt look like that of an edge, and the I/O APIC would wait for ever.
pub const DEVICE_VECTOR: u8 = 0x22;
/// Least memory an appliance is started with, in bytes.
pub const MIN_MEMORY_BYTES: u64 = 64 << 20;
/// Most memory an appliance is started with, in bytes.
pub const MAX_MEMORY_BYTES: u64 = 256 << 30;
/// Most cpus an appliance is started with.
pub const MAX_CPUS: u32 = 64;

/// SEV-SNP: the page through which `cpu` speaks with the host.
#[must_use]
pub const fn ghcb(cpu: u32) -> u64 {
    SHARED_PA.saturating_add(PAGE.saturating_mul(widen(cpu)))
}

/// SEV-SNP and TDX: memory that is loaded, measured and the guest's own before the first instruction.
pub const LAUNCHED: Region = Region { pa: ROM_TEXT_PA, len: KERNEL_TEXT_PA - ROM_TEXT_PA };

/// A run of physical memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub pa: u64,
    /// Length in bytes; zero means absent.
    pub len: u64,
}

/// The two runs of RAM that `memory_bytes` gives: below the device hole, and above it (length 0 if none).
#[must_use]
pub const fn ram(memory_bytes: u64) -> [Region; 2] {
    let low = if memory_bytes < LOW_END_PA { memory_bytes } else { LOW_END_PA };
    [Region { pa: 0, len: low }, Region { pa: HIGH_PA, len: memory_bytes.saturating_sub(low) }]
}

/// The stacks of `cpus` cpus in the engine, one large page each, behind `blobs_bytes` of blobs.
#[must_use]
pub const fn stacks(cpus: u32, blobs_bytes: u64) -> Region {
    let pa = BLOBS_PA.saturating_add(round_up(blobs_bytes, LARGE_PAGE));
    Region { pa, len: LARGE_PAGE.saturating_mul(widen(cpus)) }
}

/// The engine's heap: what [`ram`] leaves after blobs and [`stacks`].
#[must_use]
pub const fn heap(memory_bytes: u64, cpus: u32, blobs_bytes: u64) -> [Region; 2] {
    let [low, high] = ram(memory_bytes);
    let stacks = stacks(cpus, blobs_bytes);
    let start = stacks.pa.saturating_add(stacks.len);
    let end = low.len.saturating_sub(low.len.wrapping_rem(LARGE_PAGE));
    [Region { pa: start, len: end.saturating_sub(start) }, high]
}

/// `From` is not const yet.
#[cfg_attr(not(test), expect(clippy::as_conversions, reason = "widening in a const fn"))]
const fn widen(value: u32) -> u64 {
    value as u64
}

/// `value` rounded up to a multiple of `unit`, saturating. `unit` must not be zero.
#[must_use]
pub const fn round_up(value: u64, unit: u64) -> u64 {
    match value.checked_rem(unit) {
        None | Some(0) => value,
        Some(rest) => value.saturating_add(unit.saturating_sub(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_past_the_hole_continues_at_4_gib() {
        assert_eq!(ram(4 << 30), [Region { pa: 0, len: 3 << 30 }, Region { pa: 4 << 30, len: 1 << 30 }]);
        assert_eq!(ram(512 << 20)[1].len, 0);
    }

    #[test]
    fn the_heap_starts_behind_blobs_and_stacks_on_a_large_page() {
        let [low, _] = heap(512 << 20, 2, LARGE_PAGE + 1);
        assert_eq!(stacks(2, LARGE_PAGE + 1), Region { pa: BLOBS_PA + 2 * LARGE_PAGE, len: 2 * LARGE_PAGE });
        assert_eq!(low.pa, BLOBS_PA + 4 * LARGE_PAGE);
        assert_eq!(low.pa + low.len, 512 << 20);
    }
}
