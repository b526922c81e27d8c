//! Reads a file again and again past the host's page cache or through it, several requests at once, into huge pages, and does
//! nothing with it: what the disk gives. Prints bytes a second as JSON.
#![expect(clippy::print_stdout, reason = "an example")]

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::path::Path;
use std::time::Instant;
use vial_devices::Memory;
use vial_devices::block::Backend as _;
use vial_kvm::{allocate, populate};
use vial_vmm::FileDisk;
use vm_memory::GuestAddress;

/// As the engine reads.
const CHUNK: u32 = 512 << 10;
const THREADS: u64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [file, seconds, way]: [String; 3] =
        arguments.try_into().map_err(|_| "expected FILE SECONDS direct|cached")?;
    let open = if way == "cached" { FileDisk::cached } else { FileDisk::open };
    let (disk, time) = (open(Path::new(&file))?, Duration::from_secs(seconds.parse()?));
    let bytes = THREADS * u64::from(CHUNK);
    let memory = allocate(&[(0, bytes.next_multiple_of(2 << 20))])?;
    populate(&memory, bytes);
    let (started, next) = (Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let read_on = |thread| {
            let (disk, memory, next) = (&disk, &memory, &next);
            move || {
                while started.elapsed() < time {
                    read(disk, memory, (next, thread))?;
                }
                Ok(())
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(read_on(thread))).collect();
        let mut joined = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread ended"));
        joined.try_for_each(|result: Result<std::io::Result<()>, _>| -> Result<(), Box<dyn Error>> {
            Ok(result??)
        })
    })?;
    let read = next.into_inner() * u64::from(CHUNK);
    println!("{{\"bytes_per_second\":{:.0}}}", read as f64 / started.elapsed().as_secs_f64());
    Ok(())
}

/// The next chunk that nobody has read, round the file.
fn read(disk: &FileDisk, memory: &Memory, (next, thread): (&AtomicU64, u64)) -> std::io::Result<()> {
    let chunks = (disk.bytes() / u64::from(CHUNK)).max(1);
    let offset = next.fetch_add(1, Ordering::Relaxed) % chunks * u64::from(CHUNK);
    let to = GuestAddress(thread * u64::from(CHUNK));
    disk.read(offset, memory, to, CHUNK)
}
