//! The program: launch page, heap, disk, then the logic of the library.

use alloc::vec;
use alloc::vec::Vec;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_abi::launch_page::Tee;
use vial_abi::memory::{HANDOFF_PA, KERNEL_TEXT_PA};
use vial_abi::{ExitCode, LaunchPage, Mark};
use vial_boot::{Disk, Machine, Refusal, boot};
use vial_user::memory::View;
use vial_user::vector::Vector;
use vial_user::virtio::block::Slots;
use vial_user::virtio::{Block, DeviceError, Kind, find};
use vial_user::{Heap, Memory, console, program, syscall};
use vial_weights::{LEAF_BYTES, Lanes, ReadAt};

/// Reads in flight: 4 MiB of the DMA window, in pieces of whole leaves.
const SLOTS: Slots = Slots { count: 8, bytes: 4 << 17 };
const _: () = assert!((SLOTS.bytes as u64).is_multiple_of(LEAF_BYTES));

program!(main, view: View::Identity, panic: ExitCode::FirmwarePanic, out_of_memory: ExitCode::FirmwareMemory);

fn main(mut memory: Memory, heap: &'static Heap) -> ! {
    let refusal = match run(&mut memory, heap) {
        Ok(()) => match syscall::hand_over(KERNEL_TEXT_PA, HANDOFF_PA) {
            error => Refusal::new(ExitCode::FirmwarePanic, &alloc::format!("hand-over: found {error:?}")),
        },
        Err(refusal) => refusal,
    };
    console::print(format_args!("{refusal}"));
    syscall::exit(refusal.code)
}

fn run(memory: &mut Memory, heap: &Heap) -> Result<(), Refusal> {
    // Without a heap nothing can be said in words: the line is the exit code's.
    let Ok(launch) = LaunchPage::decode(&memory.argument_page()) else { syscall::exit(ExitCode::LaunchPage) };
    memory.give_boot_heap(heap, launch.memory_bytes);
    let mut disk = start_disk(memory, launch.tee)?;
    boot(&mut Ring3 { memory }, &mut disk, &launch)
}

fn start_disk(memory: &mut Memory, tee: Tee) -> Result<BlockDisk, Refusal> {
    let missing = || Refusal::new(ExitCode::NoDisk, "block device: found none, expected one");
    let (mut window, mut slots) = memory.take_devices(tee).ok_or_else(missing)?;
    let slot = find(&mut slots, Kind::Block).ok_or_else(missing)?;
    let block =
        Block::new(slot, &mut window, SLOTS).map_err(|error| Refusal::of(ExitCode::NoDisk, &error))?;
    Ok(BlockDisk { block, piece: vec![0; SLOTS.bytes] })
}

/// Ring 0's calls and the boot program's memory.
struct Ring3<'a> {
    memory: &'a mut Memory,
}

impl Machine for Ring3<'_> {
    fn mark(&mut self, mark: Mark) {
        syscall::mark(mark);
    }

    fn report(
        &mut self,
        report_data: &[u8; 64],
        response: &mut [u8; REPORT_OUT_BYTES],
    ) -> Result<usize, CallError> {
        syscall::boot_report(report_data, response)
    }

    fn extend(&mut self, register: u8, digest: &[u8; 48]) -> bool {
        syscall::extend_register(register, digest).is_ok()
    }

    fn put(&mut self, pa: u64, bytes: &[u8]) -> bool {
        self.memory.put(pa, bytes)
    }

    fn clear(&mut self, pa: u64, len: u64) -> bool {
        self.memory.clear(pa, len)
    }

    fn lanes(&self) -> Lanes {
        match Vector::detect() {
            Vector::Baseline => Lanes::Baseline,
            Vector::Avx2 => Lanes::Avx2,
            Vector::Avx512 => Lanes::Avx512,
        }
    }
}

/// The virtio disk; `piece` is the private copy that is checked.
struct BlockDisk {
    block: Block,
    piece: Vec<u8>,
}

impl ReadAt for BlockDisk {
    type Error = DeviceError;

    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> Result<(), DeviceError> {
        self.block.read_into(offset, to)
    }
}

/// Why a stream ended before its end.
enum Ended {
    Enough,
    Device(DeviceError),
}

impl From<DeviceError> for Ended {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl Disk for BlockDisk {
    fn bytes(&self) -> u64 {
        self.block.bytes()
    }

    fn stream(
        &mut self,
        offset: u64,
        len: u64,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), DeviceError> {
        let copy = &mut self.piece;
        let streamed = self.block.read_pieces(offset, len, |disk, slot, piece| {
            let Some(copy) = copy.get_mut(..piece.len) else { return Err(Ended::Enough) };
            disk.copy_out(slot, piece.skip, copy);
            if take(copy) { Ok(()) } else { Err(Ended::Enough) }
        });
        match streamed {
            Err(Ended::Device(error)) => Err(error),
            Ok(()) | Err(Ended::Enough) => Ok(()),
        }
    }
}
