//! The test's kernel: answers calls as Linux with SEV-SNP would, by a script, and records them.

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::HashMap;
use std::fs::{File, read_dir, read_link};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::channel;

use crate::filter::{self, Notice, Reply};
use crate::script::{Call, Record, Script};
use crate::wire::{self, SEV_CMD_BYTES, sev_bytes, u32_at, u64_at};

/// Bytes of the structure that cpus share with the kernel.
const RUN_BYTES: i64 = 12288;
const PAGE: u64 = 4096;

/// Does `work` on a thread whose kernel goes by `script`.
pub(crate) fn under<T: Send>(script: Script, work: impl FnOnce() -> T + Send) -> (T, Record) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let name = format!("vial-sev-{}", RUNS.fetch_add(1, Ordering::Relaxed));
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        let worker = scope.spawn(move || {
            sender.send(filter::install()).unwrap();
            work()
        });
        let mut kernel = Kernel::new(script, name);
        kernel.serve(&receiver.recv().unwrap());
        let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (result, kernel.record())
    })
}

struct Kernel {
    script: Script,
    name: String,
    memory: File,
    files: HashMap<i32, File>,
    private: Vec<i32>,
    cpu: Option<i32>,
    calls: Vec<Call>,
}

impl Kernel {
    fn new(script: Script, name: String) -> Self {
        let memory = File::options().read(true).write(true).open("/proc/self/mem").unwrap();
        let (files, private, cpu, calls) = Default::default();
        Self { script, name, memory, files, private, cpu, calls }
    }

    fn serve(&mut self, listener: &OwnedFd) {
        while let Some(notice) = filter::receive(listener) {
            let reply = match notice.call {
                libc::SYS_openat => self.open(notice.arguments[1]),
                _ => self.ioctl(&notice),
            };
            filter::reply(listener, notice.id, reply);
        }
    }

    fn record(mut self) -> Record {
        let private = self.private.iter().map(|fd| self.files.remove(fd).unwrap()).collect();
        self.files.clear();
        let links = read_dir("/proc/self/fd").unwrap().filter_map(|entry| read_link(entry.ok()?.path()).ok());
        let ours = format!("/memfd:{} (deleted)", self.name);
        let left = links.filter(|link| link.to_str() == Some(&ours)).count() - self.private.len();
        Record { calls: self.calls, private, left }
    }

    /// What the caller gets a descriptor of its own for.
    fn give(&mut self, bytes: u64) -> Reply {
        let file = filter::file(&self.name, bytes);
        let fd = file.try_clone().unwrap().into_raw_fd();
        self.files.insert(fd, file);
        Reply::Value(fd.into())
    }

    fn open(&mut self, path: u64) -> Reply {
        // The longest path that matters, and its end.
        let mut path_bytes = [0; 9];
        let _shorter = self.memory.read_at(&mut path_bytes, path).unwrap();
        match path_bytes.as_slice() {
            b"/dev/kvm\0" | b"/dev/sev\0" => {
                let label = format!("open {}", core::str::from_utf8(&path_bytes[..8]).unwrap());
                self.note(label, Vec::new()).unwrap_or_else(|| self.give(0))
            }
            _ => Reply::Pass,
        }
    }

    /// Records a call; its refusal, if the script says so.
    fn note(&mut self, label: String, bytes: Vec<u8>) -> Option<Reply> {
        let refusal = self.script.refusal.take_if(|(refused, ..)| label.starts_with(*refused));
        let before = self.calls.iter().filter(|call| call.label == label).count();
        let later =
            self.script.refusal_after.take_if(|(refused, after, _)| label == *refused && before == *after);
        self.calls.push(Call { label, bytes, ..Call::default() });
        refusal.map(|(_, errno, _)| errno).or(later.map(|(.., errno)| errno)).map(Reply::Error)
    }

    fn ioctl(&mut self, notice: &Notice) -> Reply {
        let [fd, request, argument, ..] = notice.arguments;
        if !self.files.contains_key(&i32::try_from(fd).unwrap_or(-1)) {
            return Reply::Pass;
        }
        let fd = i32::try_from(fd).unwrap();
        match u32::try_from(request).unwrap() {
            wire::MEMORY_ENCRYPT_OP => self.sev(argument),
            wire::RUN => self.run(fd),
            request => {
                let (label, bytes) = self.describe(request, argument);
                self.note(label, bytes).unwrap_or_else(|| self.answer(request, argument))
            }
        }
    }

    fn describe(&self, request: u32, argument: u64) -> (String, Vec<u8>) {
        let number = |name: &str| (format!("{name} {argument}"), Vec::new());
        let bytes = |name: &str| {
            (name.to_owned(), self.read(argument, usize::try_from(request >> 16 & 0x3FFF).unwrap()))
        };
        let list = |name: &str, row: usize| {
            let count = usize::try_from(u32_at(&self.read(argument, 4), 0)).unwrap();
            (name.to_owned(), self.read(argument, 8 + count * row))
        };
        match request {
            wire::CREATE_VM => number("CREATE_VM"),
            wire::CHECK_EXTENSION => number("CHECK_EXTENSION"),
            wire::GET_VCPU_MMAP_SIZE => number("GET_VCPU_MMAP_SIZE"),
            wire::CREATE_VCPU => number("CREATE_VCPU"),
            wire::CREATE_IRQCHIP => number("CREATE_IRQCHIP"),
            wire::SET_USER_MEMORY_REGION2 => bytes("SET_USER_MEMORY_REGION2"),
            wire::CREATE_GUEST_MEMFD => bytes("CREATE_GUEST_MEMFD"),
            wire::SET_MEMORY_ATTRIBUTES => bytes("SET_MEMORY_ATTRIBUTES"),
            wire::ENABLE_CAP => bytes("ENABLE_CAP"),
            wire::GET_SREGS => bytes("GET_SREGS"),
            wire::SET_SREGS => bytes("SET_SREGS"),
            wire::GET_REGS => bytes("GET_REGS"),
            wire::SET_REGS => bytes("SET_REGS"),
            wire::SET_GSI_ROUTING => list("SET_GSI_ROUTING", 48),
            wire::SET_CPUID2 => list("SET_CPUID2", 40),
            wire::GET_SUPPORTED_CPUID => bytes("GET_SUPPORTED_CPUID"),
            other => panic!("found request {other:#x}"),
        }
    }

    fn answer(&mut self, request: u32, argument: u64) -> Reply {
        match request {
            wire::CHECK_EXTENSION => {
                let known = self.script.capabilities.iter().find(|(number, _)| *number == argument);
                Reply::Value(known.map_or(0, |(_, value)| (*value).into()))
            }
            wire::GET_VCPU_MMAP_SIZE => Reply::Value(RUN_BYTES),
            wire::CREATE_VM => self.give(0),
            wire::CREATE_VCPU => self.cpu(),
            wire::CREATE_GUEST_MEMFD => self.private_memory(),
            wire::GET_SUPPORTED_CPUID => self.supported(argument),
            wire::GET_SREGS => {
                self.write(argument, &at_reset());
                Reply::Value(0)
            }
            // No register can be read once the guest is sealed.
            wire::GET_REGS => Reply::Error(libc::EINVAL),
            _ => Reply::Value(0),
        }
    }

    fn cpu(&mut self) -> Reply {
        let reply = self.give(RUN_BYTES.cast_unsigned());
        if let Reply::Value(fd) = reply {
            self.cpu.get_or_insert(i32::try_from(fd).unwrap());
        }
        reply
    }

    fn private_memory(&mut self) -> Reply {
        let wanted = u64_at(&self.calls.last().unwrap().bytes, 0);
        let reply = self.give(wanted);
        if let Reply::Value(fd) = reply {
            self.private.push(i32::try_from(fd).unwrap());
        }
        reply
    }

    fn supported(&self, argument: u64) -> Reply {
        let rows = &self.script.cpuid;
        self.write(argument, &u32::try_from(rows.len()).unwrap().to_le_bytes());
        for (at, row) in (8..).step_by(40).zip(rows) {
            let words: Vec<u8> = row.iter().flat_map(|word| word.to_le_bytes()).collect();
            self.write(argument + at, &words);
        }
        Reply::Value(0)
    }

    /// A command of SEV.
    fn sev(&mut self, argument: u64) -> Reply {
        let bytes = self.read(argument, SEV_CMD_BYTES);
        let (command, at) = (u32_at(&bytes, 0), u64_at(&bytes, 8));
        let data = self.read(at, sev_bytes(command));
        let label = format!("SEV {command}");
        let refusal = self.script.refusal.take_if(|(refused, ..)| label.starts_with(*refused));
        self.calls.push(Call { label, bytes, data: data.clone(), ..Call::default() });
        if let Some((_, errno, status)) = refusal {
            self.write(argument + 16, &status.to_le_bytes());
            return Reply::Error(errno);
        }
        match command {
            101 => self.update(argument, at, &data),
            102 => self.finish(&data),
            _ => Reply::Value(0),
        }
    }

    /// Loads what it likes of an update and says in its structure what remains. Source of the contract: Linux,
    /// Documentation/virt/kvm/x86/amd-memory-encryption.rst, `KVM_SEV_SNP_LAUNCH_UPDATE`.
    fn update(&mut self, argument: u64, at: u64, data: &[u8]) -> Reply {
        if self.script.tries > 0 {
            self.script.tries -= 1;
            return Reply::Error(libc::EAGAIN);
        }
        let (frame, from, bytes, kind) = (u64_at(data, 0), u64_at(data, 8), u64_at(data, 16), data[24]);
        let taken = bytes.min(self.script.pages_at_once.saturating_mul(PAGE));
        let has_source = kind != 3;
        if has_source {
            assert!(from > 0 && from.is_multiple_of(PAGE), "found a source at {from:#x}");
            let contents = self.read(from, usize::try_from(taken).unwrap());
            self.calls.last_mut().unwrap().contents.push(contents);
        }
        if kind == 6
            && let Some(correction) = self.script.correction.take()
        {
            let mut page = self.read(from, 4096);
            correction(&mut page);
            self.write(from, &page);
            self.write(argument + 16, &0x16_u32.to_le_bytes());
            return Reply::Error(libc::EIO);
        }
        self.load(frame * PAGE);
        self.calls.last_mut().unwrap().loaded = taken;
        let rest = [frame + taken / PAGE, from + if has_source { taken } else { 0 }, bytes - taken];
        self.write(at, &rest.map(u64::to_le_bytes).concat());
        Reply::Value(0)
    }

    /// Puts what the last call brought where the guest finds it.
    fn load(&self, gpa: u64) {
        for contents in &self.calls.last().unwrap().contents {
            let slots = self.calls.iter().filter(|call| call.label == "SET_USER_MEMORY_REGION2");
            let places =
                slots.map(|slot| (u64_at(&slot.bytes, 8), u64_at(&slot.bytes, 16), u32_at(&slot.bytes, 40)));
            let mut places = places.filter(|(start, bytes, _)| (*start..start + bytes).contains(&gpa));
            let (start, _, fd) = places.next().expect("a slot for what is loaded");
            self.files[&fd.cast_signed()].write_all_at(contents, gpa - start).unwrap();
        }
    }

    fn finish(&mut self, data: &[u8]) -> Reply {
        if data[16] == 1 {
            let block = self.read(u64_at(data, 0), 96);
            let auth = self.read(u64_at(data, 8), 4096);
            self.calls.last_mut().unwrap().contents = vec![block, auth];
        }
        Reply::Value(0)
    }

    /// Stops the first cpu as the script says. The label says what the last hypercall was answered.
    fn run(&mut self, fd: i32) -> Reply {
        assert_eq!(Some(fd), self.cpu);
        let shared = &self.files[&fd];
        let mut answer = [0; 8];
        shared.read_exact_at(&mut answer, 88).unwrap();
        self.calls.push(Call { label: format!("RUN {}", i64::from_le_bytes(answer)), ..Call::default() });
        let (reason, bytes, errno) = self.script.exits.pop_front().expect("a reason to stop");
        shared.write_all_at(&reason.to_le_bytes(), 8).unwrap();
        shared.write_all_at(&bytes, 32).unwrap();
        if errno == 0 { Reply::Value(0) } else { Reply::Error(errno) }
    }

    fn read(&self, address: u64, bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes];
        self.memory.read_exact_at(&mut out, address).unwrap();
        out
    }

    fn write(&self, address: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, address).unwrap();
    }
}

/// `struct kvm_sregs` of a cpu that KVM has just made: nothing of it may get into the measured registers but the APIC's place.
fn at_reset() -> Vec<u8> {
    let mut out = vec![0; 312];
    out[..240].fill(0xA5);
    let values = [(192 + 8, 0xFFFF), (208 + 8, 0xFFFF), (224, 0x6000_0010), (264, 0), (272, 0xFEE0_0900_u64)];
    for (at, value) in values {
        out[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    out
}
