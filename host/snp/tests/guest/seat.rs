//! A cpu of the guest, and what is around it.

use vial_abi::memory::{REQUEST_PA, ghcb};
use vial_abi::report::{REPORT_BYTES, ReportResponse};
use vial_simulated_snp::{
    Around, Cpu, Host, Offence, Outcome, Ownership, SecureProcessor, Size, State, Then,
};
use vial_snp::ghcb::Ghcb;
use vial_snp::secrets::Secrets;
use vial_snp::{Invalid, PageSize, Processor, Refusal, protocol, request};

pub(crate) const C_BIT: u8 = 51;
pub(crate) const MEMORY: u64 = 16 << 20;
const KEYS: [[u8; 32]; 4] = [[1; 32], [2; 32], [3; 32], [4; 32]];

/// What the host does beside what it should.
pub(crate) type Mischief = Box<dyn FnMut(&mut Vec<u8>)>;

/// Shared memory, ports and registers.
#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) memory: Vec<u8>,
    pub(crate) ports: Vec<(u16, Vec<u8>)>,
    pub(crate) devices: Vec<(u64, Vec<u8>)>,
    pub(crate) msrs: Vec<(u32, u64)>,
}

pub(crate) fn range(pa: u64, len: usize) -> core::ops::Range<usize> {
    let start = usize::try_from(pa).unwrap();
    start..start + len
}

impl Around for Machine {
    fn read(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        to.copy_from_slice(self.memory.get(range(pa, to.len()))?);
        Some(())
    }
    fn write(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        self.memory.get_mut(range(pa, from.len()))?.copy_from_slice(from);
        Some(())
    }
    fn out(&mut self, port: u16, bytes: &[u8]) {
        self.ports.push((port, bytes.to_vec()));
    }
    fn input(&mut self, port: u16, bytes: &mut [u8]) {
        bytes.fill(port.to_le_bytes()[0]);
    }
    fn write_device(&mut self, pa: u64, bytes: &[u8]) {
        self.devices.push((pa, bytes.to_vec()));
    }
    fn read_device(&mut self, pa: u64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&pa.to_le_bytes()[..bytes.len()]);
    }
    fn write_msr(&mut self, register: u32, value: u64) -> Option<()> {
        (register != 0xBAD).then(|| self.msrs.push((register, value)))
    }
    fn read_msr(&mut self, register: u32) -> Option<u64> {
        (register != 0xBAD).then_some(u64::from(register) << 32 | 5)
    }
}

/// A cpu of the guest.
pub(crate) struct Seat {
    pub(crate) host: Host,
    pub(crate) cpu: Cpu,
    pub(crate) machine: Machine,
    pub(crate) then: Result<Then, Offence>,
    /// How the host changes memory behind each exit.
    pub(crate) mischief: Mischief,
    /// Large pages that the host backs by small ones.
    pub(crate) small: Vec<u64>,
    /// How often the host says that it is busy, and carries nothing.
    pub(crate) busy: u32,
    /// Messages that it was to carry.
    pub(crate) sent: Vec<Vec<u8>>,
}

pub(crate) fn report(data: &[u8; 64]) -> Vec<u8> {
    let mut report = vec![0xAB; REPORT_BYTES];
    report[0x50..0x90].copy_from_slice(data);
    report
}

impl Seat {
    pub(crate) fn new() -> Self {
        let processor = SecureProcessor::new(KEYS, Box::new(report));
        let ownership = Ownership::shared([0..MEMORY, 0..0]);
        let machine = Machine { memory: vec![0; usize::try_from(MEMORY).unwrap()], ..Machine::default() };
        Self {
            host: Host { ownership, processor, certificates: Vec::new(), c_bit: C_BIT, is_forgetful: false },
            cpu: Cpu::default(),
            machine,
            then: Ok(Then::Resumed),
            mischief: Box::new(|_| {}),
            small: Vec::new(),
            busy: 0,
            sent: Vec::new(),
        }
    }

    /// One whose GHCB is registered.
    pub(crate) fn ready() -> Self {
        let mut seat = Self::new();
        protocol::negotiate(&mut seat, C_BIT).unwrap();
        protocol::share(&mut seat, ghcb(0)).unwrap();
        protocol::register(&mut seat, ghcb(0)).unwrap();
        seat
    }

    pub(crate) fn ghcb(&mut self) -> Ghcb<'_, Self> {
        Ghcb::at(ghcb(0), self)
    }

    pub(crate) fn secrets(&self) -> [u8; 4096] {
        self.host.processor.secrets().try_into().unwrap()
    }

    pub(crate) fn report(&mut self, secrets: &mut [u8; 4096], data: &[u8; 64]) -> Result<Vec<u8>, Refusal> {
        let mut out = [0; 4096];
        let used = request::report(&mut self.ghcb(), &mut Secrets::new(secrets), data, &mut out)?;
        Ok(ReportResponse::decode(&out[..used]).unwrap().report.to_vec())
    }
}

impl Processor for Seat {
    fn register(&self) -> u64 {
        self.cpu.register
    }
    fn set_register(&mut self, value: u64) {
        self.cpu.register = value;
    }
    fn exit(&mut self) {
        let code = self.machine.memory[range(ghcb(0) + 0x390, 8)].to_vec();
        let is_message = self.cpu.register == ghcb(0) && [0x11, 0x12].contains(&code[0]) && code[3] == 0x80;
        if is_message {
            self.sent.push(self.machine.memory[range(REQUEST_PA, 192)].to_vec());
        }
        if is_message && self.busy > 0 {
            self.busy -= 1;
            self.machine.write(ghcb(0) + 0x398, &[[0; 8], (2_u64 << 32).to_le_bytes()].concat()).unwrap();
            return;
        }
        self.then = self.host.exit(&mut self.cpu, &mut self.machine);
        (self.mischief)(&mut self.machine.memory);
    }
    fn exit_until_interrupt(&mut self) {
        self.exit();
    }
    fn pvalidate(&mut self, va: u64, size: PageSize, is_valid: bool) -> Result<(), Invalid> {
        let size = match size {
            PageSize::Large if self.small.contains(&va) => return Err(Invalid::Size),
            PageSize::Large => Size::Large,
            PageSize::Small => Size::Small,
        };
        match self.host.ownership.validate(va, size, is_valid) {
            Outcome::Changed => Ok(()),
            Outcome::Unchanged => Err(Invalid::Unchanged),
            Outcome::Failed => Err(Invalid::Failed),
        }
    }
    fn shared(&self, pa: u64) -> u64 {
        let mut word = [0; 8];
        self.machine.read(pa, &mut word).unwrap();
        u64::from_le_bytes(word)
    }
    fn set_shared(&mut self, pa: u64, value: u64) {
        assert_eq!(self.host.ownership.of(pa), State::Shared, "{pa:#x}");
        self.machine.write(pa, &value.to_le_bytes()).unwrap();
    }
}
