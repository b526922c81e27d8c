//! A trust domain's surroundings, a script of which makes module and host do as they should, or not.

use core::cell::RefCell;
use vial_abi::memory::{LARGE_PAGE, PAGE, Region};
use vial_abi::report::REPORT_BYTES as SIMULATED_BYTES;
use vial_simulated_tdx::{self as played, Builder, Host, Mapping, Module, Signer, Turn, is_genuine};
use vial_tdx::{PrivatePage, Registers, SharedBit, SharedGpa, SharedPages, Tdcall};

use crate::{Memory, Script};

/// The last bit of its addresses.
pub const BIT: u8 = 51;
/// The domain's one measured page, which operands go through.
const OPERANDS: u64 = 0x1000;
/// Private memory ends, and what quotes go through begins, shared from the start.
const BUFFER: u64 = 5 * LARGE_PAGE;
/// Bytes that quotes go through.
pub const BUFFER_BYTES: usize = 2 * 4096;
const END: u64 = BUFFER + BUFFER_BYTES as u64;
const IN_FLIGHT: u64 = u64::MAX;
/// What a module says in RAX, and a host in R10.
const STATUSES: [u64; 9] = [
    0,
    1,
    0xC000_0100_0000_0001,
    0x8000_0200_0000_00A8,
    0x0000_0B0A_0000_0001,
    0xC000_0B0B_0000_0001,
    1 << 63,
    1 << 63 | 1,
    u64::MAX,
];

/// Everything around the domain.
pub struct World<'a> {
    /// What decides.
    pub script: Script<'a>,
    /// The module, which a wish may look into.
    pub module: Module,
    host: Host,
    /// Private memory.
    pub private: Memory,
    shared: Memory,
    /// A status, and the looks until it is there.
    later: Option<(u8, u64)>,
    /// Since the wish began, registers were those of a real module and an honest host.
    pub is_played: bool,
    /// And so were memory and mappings, and no lock was held.
    pub is_honest: bool,
    calls: u64,
}

impl<'a> World<'a> {
    /// A domain that has just started: some memory is added, by pages of both sizes.
    #[must_use]
    pub fn new(script: Script<'a>) -> Self {
        let (mut private, mut builder) = (Memory::zeros(0..BUFFER), Builder::new(END));
        builder.add(&mut private, OPERANDS, &[0xAA; 4096]).expect("there is memory");
        let mut module = builder.finalize(BIT + 1);
        module.pages.augment(2 * LARGE_PAGE - PAGE..3 * LARGE_PAGE + 3 * PAGE);
        module.pages.set(BUFFER..END, Mapping::Shared);
        let shareable = vec![LARGE_PAGE..END];
        Self {
            script,
            module,
            host: Host { shared_bit: BIT, shareable, signer: signer(0), is_unwilling: false },
            private,
            shared: Memory::zeros(BUFFER..END),
            later: None,
            is_played: true,
            is_honest: true,
            calls: 0,
        }
    }

    /// A wish that may take so many calls.
    pub fn begin(&mut self, calls: u64) {
        (self.calls, self.is_played, self.is_honest) = (calls, true, true);
        (self.module.busy, self.later) = (0, None);
    }

    /// Quotes are of this kind from now on: TDX's version 4 or 5, or the simulated TEE's.
    pub fn sign(&mut self, kind: u8) {
        self.host.signer = signer(kind);
    }

    fn call(&mut self, leaf: u64, asked: Registers) -> Registers {
        self.calls = self.calls.checked_sub(1).expect("no end");
        let kind = self.script.byte() % 8;
        self.is_honest &= matches!(kind, 0 | 1);
        self.is_played &= !matches!(kind, 2 | 3);
        match kind {
            2 => return Registers { rax: self.status(), rcx: self.script.word(), ..asked },
            3 => return self.answered(asked),
            4 => self.module.busy = self.script.byte().into(),
            _ => {}
        }
        let answer = self.served(leaf, asked);
        self.change(kind);
        answer
    }

    /// A host that asks to go on where it was asked to begin, or a page later, or anything else.
    fn answered(&mut self, asked: Registers) -> Registers {
        let status = self.status();
        let value = match self.script.byte() % 4 {
            0 => self.script.word(),
            pages => asked.shared[2].wrapping_add(u64::from(pages - 1) * PAGE),
        };
        Registers { rax: 0, shared: [status, value, 1, 2, 3, 4], ..asked }
    }

    fn status(&mut self) -> u64 {
        if self.script.byte() == 0 { self.script.word() } else { self.script.pick(&STATUSES) }
    }

    /// As it should be. What a real host would end the domain for is refused.
    fn served(&mut self, leaf: u64, asked: Registers) -> Registers {
        let Registers { rcx, rdx, r8, shared, .. } = asked;
        let call = played::Registers { rax: leaf, rcx, rdx, r8, shared };
        let refused = Registers { rax: u64::MAX, ..asked };
        match self.module.call(call, &mut self.private) {
            Turn::Back(found) => registers(found),
            Turn::Violation(_) => refused,
            Turn::Host(seen) => match self.host.serve(&mut self.module.pages, seen, &mut self.shared) {
                Ok((answer, _)) => registers(Module::resume(call, answer)),
                // Memory may have been taken away in a wish before this.
                Err(_offence) => refused,
            },
        }
    }

    /// What a host does beside.
    fn change(&mut self, kind: u8) {
        match kind {
            1 => self.delay(),
            5 => {
                let place = self.script.pick(&[0, 8, 16, 20, 24, 72]);
                let value = self.script.word();
                self.shared.write(BUFFER + place, &value.to_le_bytes());
            }
            6 => {
                let place = self.script.word() % BUFFER_BYTES as u64;
                self.shared.write(BUFFER + place, &[self.script.byte()]);
            }
            7 => self.remap(),
            _ => {}
        }
    }

    /// The status comes some looks later.
    fn delay(&mut self) {
        let mut status = [0; 8];
        self.shared.read(BUFFER + 8, &mut status);
        self.later = Some((self.script.byte() % 4, u64::from_le_bytes(status)));
        self.shared.write(BUFFER + 8, &IN_FLIGHT.to_le_bytes());
    }

    fn remap(&mut self) {
        let Region { pa, len } = region(&mut self.script);
        match self.script.byte() % 3 {
            0 => self.module.pages.set(pa..pa + len, Mapping::Absent),
            1 => self.module.pages.set(pa..pa + len, Mapping::Shared),
            _ => self.module.pages.augment(pa..pa + len),
        }
    }

    /// Whoever looks again may find something else.
    fn looked(&mut self) {
        self.later = match self.later {
            Some((0, status)) => {
                self.shared.write(BUFFER + 8, &status.to_le_bytes());
                None
            }
            later => later.map(|(looks, status)| (looks - 1, status)),
        };
        if let kind @ (5 | 6) = self.script.byte() % 8 {
            self.is_honest = false;
            self.change(kind);
        }
    }
}

fn registers(found: played::Registers) -> Registers {
    let played::Registers { rax, rcx, rdx, r8, shared } = found;
    Registers { rax, rcx, rdx, r8, shared }
}

/// Signs nothing but what this module wrote.
fn signer(kind: u8) -> Signer {
    Box::new(move |report| {
        let body = [&report[264..384], &report[512..912], &report[128..192]].concat();
        let quote = match kind {
            0 => [&[4, 0, 2, 0, 0x81, 0, 0, 0][..], &[0x93; 40], &body, &[0x51; 100]].concat(),
            1 => [&[5, 0, 2, 0, 0x81, 0, 0, 0][..], &[0x93; 46], &body, &[0x51; 100]].concat(),
            _ => {
                let [data, mrtd] = [&report[128..192], &report[528..576]];
                let rest = vec![0xAB; SIMULATED_BYTES - 0xC0];
                [&[0xAB; 0x50][..], data, mrtd, &rest].concat()
            }
        };
        is_genuine(report).then_some(quote)
    })
}

/// Where memory was or may be added, by large pages and small ones.
pub fn region(script: &mut Script<'_>) -> Region {
    let pa = script.pick(&[2, 3]) * LARGE_PAGE - script.pick(&[0, 1, 2, 511]) * PAGE;
    Region { pa, len: script.pick(&[0, 1, 2, 3, 511, 512, 513]) * PAGE }
}

/// The domain's handle of all of it: the instruction, its page of operands, and the pages it shares.
#[derive(Clone, Copy)]
pub struct Seat<'w, 'a>(pub &'w RefCell<World<'a>>);

impl Tdcall for Seat<'_, '_> {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        self.0.borrow_mut().call(leaf, registers)
    }
}

impl PrivatePage for Seat<'_, '_> {
    fn gpa(&self) -> u64 {
        OPERANDS
    }
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.0.borrow_mut().private.write(OPERANDS + at as u64, bytes).expect("inside the page");
    }
    fn read(&self, at: usize, to: &mut [u8]) {
        self.0.borrow().private.read(OPERANDS + at as u64, to).expect("inside the page");
    }
}

impl SharedPages for Seat<'_, '_> {
    fn gpa(&self) -> SharedGpa {
        SharedBit::known(BIT).share(BUFFER)
    }
    fn len_bytes(&self) -> usize {
        BUFFER_BYTES
    }
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.0.borrow_mut().shared.write(BUFFER + at as u64, bytes).expect("inside the pages");
    }
    fn read(&self, at: usize, to: &mut [u8]) {
        let mut world = self.0.borrow_mut();
        world.shared.read(BUFFER + at as u64, to).expect("inside the pages");
        world.looked();
    }
}
