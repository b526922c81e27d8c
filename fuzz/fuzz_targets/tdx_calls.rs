//! A hostile guest before the module and the host of a trust domain that the VMM plays: registers of calls, and what memory holds.
#![no_main]

use vial_fuzz::{Memory, Script};
use vial_simulated_tdx::{
    Builder, Host, Mapping, Module, REPORT_BYTES, Registers, Signer, Turn, check_tables, is_genuine,
};

const BIT: u8 = 51;
const SHARED_BIT: u64 = 1 << BIT;
/// Private memory: a measured page, and what is added.
const OWN: u64 = 0x1000;
const PRIVATE_END: u64 = 4 << 20;
/// Shared from the start.
const SHARED: u64 = PRIVATE_END;
const END: u64 = SHARED + (16 << 10);
const PLACES: [u64; 8] =
    [OWN, OWN | 1024, OWN | 2048, 0x2000, 2 << 20, SHARED | SHARED_BIT, (SHARED + 4096) | SHARED_BIT, END];
const LEAVES: [u64; 6] = [0, 0, 1, 2, 4, 6];
const VMCALLS: [u64; 9] = [10, 12, 30, 31, 32, 48, 0x10001, 0x10002, 0x10003];
const ALL_SHOWN: u64 = 0xFC00;

struct World {
    module: Module,
    host: Host,
    private: Memory,
    shared: Memory,
}

/// A genuine report is of this domain, whose measurement no guest changes.
fn signer(mrtd: [u8; 48]) -> Signer {
    Box::new(move |report| {
        is_genuine(report).then(|| {
            assert_eq!(report[528..576], mrtd);
            vec![4; 5000]
        })
    })
}

impl World {
    fn new() -> Self {
        let mut private = Memory::zeros(0..PRIVATE_END);
        let mut builder = Builder::new(END);
        builder.add(&mut private, OWN, &[1; 4096]).expect("there is memory");
        let mut module = builder.finalize(BIT + 1);
        module.pages.augment(OWN + 4096..PRIVATE_END);
        module.pages.set(SHARED..END, Mapping::Shared);
        let (shareable, signer) = (vec![0x2000..0x4000, SHARED..END], signer(module.info.mrtd));
        let host = Host { shared_bit: BIT, shareable, signer, is_unwilling: false };
        Self { module, host, private, shared: Memory::zeros(SHARED..END) }
    }

    fn call(&mut self, asked: Registers) {
        let (info, to) = (self.module.info, self.module.pages.of(asked.rcx));
        let found = match self.module.call(asked, &mut self.private) {
            Turn::Back(found) => found,
            Turn::Host(seen) => return self.serve(asked, seen),
            // A real VMM ends the machine here, as after any offence.
            Turn::Violation(gpa) => return assert_eq!(gpa % 4096, 0),
        };
        assert_eq!(found.shared, asked.shared);
        let is_done = found.rax == 0;
        assert_eq!((info.mrtd, info.attributes), (self.module.info.mrtd, self.module.info.attributes));
        assert!(info.rtmr == self.module.info.rtmr || is_done && asked.rax == 2);
        match asked.rax {
            4 if is_done => assert!(matches!(to, Mapping::Accepted { .. }), "a report to {to:?}"),
            6 if is_done => self.was_accepted(to, asked.rcx),
            _ => {}
        }
    }

    /// What was added is the guest's once, and zero.
    fn was_accepted(&self, before: Mapping, operand: u64) {
        let gpa = operand & !0xFFF;
        assert!(matches!(before, Mapping::Pending { .. }), "accepted, but was {before:?}");
        assert!(matches!(self.module.pages.of(gpa), Mapping::Accepted { .. }));
        let len = if operand & 7 == 1 { 2 << 20 } else { 4096 };
        assert!(self.private.bytes(gpa, len).expect("there is memory").iter().all(|byte| *byte == 0));
    }

    /// The host has nothing of what is not shown, and changes nothing of it.
    fn serve(&mut self, asked: Registers, seen: [u64; 6]) {
        let is_hidden = |at: &usize| asked.rcx >> (10 + at) & 1 == 0;
        assert!((0..6).filter(is_hidden).all(|at| seen[at] == 0));
        let own = self.module.pages.of(OWN);
        if let Ok((answer, _)) = self.host.serve(&mut self.module.pages, seen, &mut self.shared) {
            let found = Module::resume(asked, answer);
            assert!((0..6).filter(is_hidden).all(|at| found.shared[at] == asked.shared[at]));
        }
        assert_eq!(own, self.module.pages.of(OWN), "the host took what cannot be shared");
    }

    /// What a guest writes is its own or shared.
    fn write(&mut self, gpa: u64, bytes: &[u8]) {
        if gpa & SHARED_BIT != 0 {
            self.shared.write(gpa & !SHARED_BIT, bytes);
        } else if matches!(self.module.pages.of(gpa), Mapping::Accepted { .. }) {
            self.private.write(gpa, bytes);
        }
    }
}

/// An address that means something, or any.
fn place(script: &mut Script<'_>) -> u64 {
    match script.byte() {
        at @ 0..0x40 => PLACES[usize::from(at) % PLACES.len()],
        at @ 0x40..0x80 => PLACES[usize::from(at) % PLACES.len()] | u64::from(script.byte()),
        at @ 0x80..0xF0 => u64::from(at) & 0xF,
        _ => script.word(),
    }
}

fn registers(script: &mut Script<'_>) -> Registers {
    let rax = script.pick(&LEAVES);
    let [rdx, r8] = [place(script), place(script) & 1];
    if rax == 0 {
        let shared = [0, script.pick(&VMCALLS), place(script), place(script), place(script), place(script)];
        return Registers { rax, rcx: ALL_SHOWN, rdx, r8, shared };
    }
    Registers { rax, rcx: place(script), rdx, r8, shared: [5; 6] }
}

/// Any, shown or not.
fn raw(script: &mut Script<'_>) -> Registers {
    let shared = [(); 6].map(|()| script.word());
    Registers { rax: script.byte().into(), rcx: script.word(), rdx: script.word(), r8: script.word(), shared }
}

/// One thing that the guest does.
fn act(world: &mut World, script: &mut Script<'_>) {
    match script.byte() % 8 {
        0 => world.call(raw(script)),
        1 => {
            let (to, len) = (place(script), usize::from(script.byte()));
            let bytes = script.0.split_off(..script.0.len().min(len)).unwrap_or_default();
            world.write(to, bytes);
        }
        2 => {
            // A table's entry: of a table, or of a page of some size.
            let (entry, flags, at) = (place(script), script.pick(&[1, 0x81, 0]), script.byte());
            world.write(OWN + 8 * u64::from(at), &(entry & !0xFFF | flags).to_le_bytes());
        }
        3 => drop(check_tables(place(script), BIT, &world.private, &world.module.pages)),
        4 => {
            // As a guest has what the module wrote seen by the host.
            let mut report = [0; REPORT_BYTES];
            world.private.read(place(script), &mut report);
            world.write(place(script), &report);
        }
        _ => world.call(registers(script)),
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut script, mut world) = (Script(data), World::new());
    while !script.0.is_empty() {
        act(&mut world, &mut script);
    }
});
