//! Recording doubles of the machine, for tests.

extern crate alloc;
use crate::apic::{ApicRegisters, IoApicRegisters, Register};
use crate::page::{self, ENTRIES, Size};
use crate::platform::{Console, CpuId, Cpus, Devices, Msrs, Ports, Registers, Tee, UserMemory};
use crate::range::{UserInput, UserOutput};
use crate::space::TableMemory;
use crate::tee::DoorbellPage;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use vial_abi::Mark;
use vial_abi::call::CallError;

/// Line-status port of a serial line, counted from its base.
const STATUS: u16 = 5;

/// A machine that remembers what was written to it.
#[derive(Clone, Debug, Default)]
pub struct FakeMachine {
    /// Bytes written, by port.
    pub written: BTreeMap<u16, Vec<u8>>,
    /// Bytes to be read, by serial line.
    pub waiting: BTreeMap<u16, VecDeque<u8>>,
    /// Answers of `cpuid`, by leaf.
    pub cpuid: BTreeMap<u32, [u32; 4]>,
    /// Model-specific registers.
    pub msrs: BTreeMap<u32, u64>,
    /// Local APIC registers.
    pub apic: BTreeMap<u8, u32>,
    /// Interrupts sent: cpu and command.
    pub interrupts: Vec<(u32, u32)>,
    /// I/O APIC registers.
    pub io_apic: BTreeMap<u8, u32>,
}

impl FakeMachine {
    /// Everything written to `port`.
    #[must_use]
    pub fn sent(&self, port: u16) -> &[u8] {
        self.written.get(&port).map_or(&[], Vec::as_slice)
    }

    /// Lets bytes arrive on the serial line at `base`.
    pub fn receive_on(&mut self, base: u16, bytes: &[u8]) {
        self.waiting.entry(base).or_default().extend(bytes);
    }
}

impl Ports for FakeMachine {
    fn write_u8(&mut self, port: u16, value: u8) {
        self.written.entry(port).or_default().push(value);
    }

    fn write_u32(&mut self, port: u16, value: u32) {
        self.written.entry(port).or_default().extend(value.to_le_bytes());
    }

    fn read_u8(&mut self, port: u16) -> u8 {
        let status = |line: &VecDeque<u8>| 0x20 | u8::from(!line.is_empty());
        match self.waiting.get_mut(&port) {
            Some(line) => line.pop_front().unwrap_or(0),
            None => self.waiting.get(&port.wrapping_sub(STATUS)).map_or(0x20, status),
        }
    }
}

impl CpuId for FakeMachine {
    fn cpuid(&self, leaf: u32, _subleaf: u32) -> [u32; 4] {
        self.cpuid.get(&leaf).copied().unwrap_or_default()
    }
}

impl Msrs for FakeMachine {
    fn read_msr(&self, register: u32) -> u64 {
        self.msrs.get(&register).copied().unwrap_or(0)
    }

    fn write_msr(&mut self, register: u32, value: u64) {
        self.msrs.insert(register, value);
    }
}

impl ApicRegisters for FakeMachine {
    fn read(&self, register: Register) -> u32 {
        self.apic.get(&(register as u8)).copied().unwrap_or(0)
    }

    fn write(&mut self, register: Register, value: u32) {
        self.apic.insert(register as u8, value);
    }

    fn send(&mut self, to: u32, command: u32) {
        self.interrupts.push((to, command));
    }
}

impl IoApicRegisters for FakeMachine {
    fn write_io_apic(&mut self, register: u8, value: u32) {
        self.io_apic.insert(register, value);
    }
}

/// A doorbell page that gives one answer.
#[derive(Clone, Debug)]
pub struct FakePage {
    answer: Vec<u8>,
    /// The last report data written.
    pub written: [u8; 64],
}

impl FakePage {
    /// A page whose content is `answer`, then zeros.
    #[must_use]
    pub fn answering(answer: &[u8]) -> Self {
        Self { answer: answer.to_vec(), written: [0; 64] }
    }
}

impl DoorbellPage for FakePage {
    fn number(&self) -> u32 {
        0x123
    }

    fn write(&mut self, report_data: &[u8; 64]) {
        self.written = *report_data;
    }

    fn read(&self, to: &mut [u8]) {
        for (at, byte) in to.iter_mut().enumerate() {
            *byte = self.answer.get(at).copied().unwrap_or(0);
        }
    }
}

/// Page tables in ordinary memory; their addresses are 4096 * (index + 1).
#[derive(Clone, Debug)]
pub struct FakeTables {
    tables: Vec<[u64; ENTRIES]>,
    room: usize,
    /// Flag of private memory, which is no part of an address.
    pub private: u64,
}

impl FakeTables {
    /// Room for `room` tables.
    #[must_use]
    pub const fn with_room_for(room: usize) -> Self {
        Self { tables: Vec::new(), room, private: 0 }
    }

    /// Translates `va` as the processor does: the last entry met and the size of its page.
    ///
    /// # Panics
    /// If an entry links to no table.
    #[must_use]
    pub fn walk(&self, root: u64, va: u64) -> (u64, Size) {
        let mut table = root;
        for (shift, size) in [(39, Size::Giant), (30, Size::Giant), (21, Size::Large), (12, Size::Small)] {
            let entry = self.entry(table, usize::try_from(va >> shift & 511).unwrap_or(0));
            match page::linked(entry & !self.private) {
                Some(next) if shift > 12 => table = next,
                _ => return (entry, size),
            }
        }
        (0, Size::Small)
    }
}

fn place(table: u64) -> usize {
    usize::try_from(table / 4096 - 1).unwrap_or(usize::MAX)
}

impl TableMemory for FakeTables {
    fn allocate(&mut self) -> Option<u64> {
        (self.tables.len() < self.room).then(|| self.tables.push([0; ENTRIES]))?;
        u64::try_from(self.tables.len() * 4096).ok()
    }

    fn entry(&self, table: u64, index: usize) -> u64 {
        self.tables[place(table)][index]
    }

    fn fill(&mut self, table: u64, first: usize, count: usize, entry: u64, step: u64) {
        let mut value = entry;
        for to in &mut self.tables[place(table)][first..first + count] {
            *to = value;
            value += step;
        }
    }
}

/// What ring 0 offers to its call service, recorded.
#[derive(Clone, Debug, Default)]
pub struct FakePlatform {
    /// Ring 3's memory, by address.
    pub memory: BTreeMap<u64, u8>,
    /// Lines printed.
    pub lines: Vec<Vec<u8>>,
    /// Marks put.
    pub marks: Vec<Mark>,
    /// Report data asked for.
    pub reports: Vec<[u8; 64]>,
    /// What the TEE answers; none: it is absent.
    pub response: Option<Vec<u8>>,
    /// Run-time registers that were extended, and with what; none: there are no such registers.
    pub extended: Option<Vec<(u8, [u8; 48])>>,
    /// Deadlines waited for.
    pub waits: Vec<u64>,
    /// Cpus running.
    pub running: BTreeSet<u32>,
    /// Cpus woken.
    pub woken: Vec<u32>,
    /// Devices' registers, by offset; none: ring 3 sees them.
    pub devices: Option<BTreeMap<u64, u32>>,
}

impl FakePlatform {
    /// Puts bytes into ring 3's memory.
    pub fn put(&mut self, address: u64, bytes: &[u8]) {
        self.memory.extend((address..).zip(bytes.iter().copied()));
    }

    /// Bytes of ring 3's memory.
    #[must_use]
    pub fn bytes(&self, address: u64, len: u64) -> Vec<u8> {
        (address..address + len).map(|at| self.memory.get(&at).copied().unwrap_or(0)).collect()
    }
}

impl UserMemory for FakePlatform {
    fn copy_in(&self, from: UserInput, to: &mut [u8]) -> usize {
        let bytes = self.bytes(from.address(), from.len());
        to.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count()
    }

    fn copy_out(&mut self, to: UserOutput, from: &[u8]) -> usize {
        let len = from.len().min(usize::try_from(to.len()).unwrap_or(0));
        self.put(to.address(), &from[..len]);
        len
    }
}

impl Console for FakePlatform {
    fn line(&mut self, text: &[u8]) {
        self.lines.push(text.to_vec());
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }
}

impl Tee for FakePlatform {
    fn report(
        &mut self,
        report_data: &[u8; 64],
        deliver: impl FnOnce(&mut Self, &[u8]) -> u64,
    ) -> Result<u64, CallError> {
        self.reports.push(*report_data);
        let response = self.response.clone().ok_or(CallError::NoTee)?;
        Ok(deliver(self, &response))
    }
}

impl Registers for FakePlatform {
    fn extend(&mut self, register: u8, digest: &[u8; 48]) -> Result<(), CallError> {
        self.extended.as_mut().ok_or(CallError::UnknownCall)?.push((register, *digest));
        Ok(())
    }
}

impl Cpus for FakePlatform {
    fn wait(&mut self, deadline: u64) {
        self.waits.push(deadline);
    }

    fn start(&mut self, cpu: u32, _entry: u64, _argument: u64) -> Result<(), CallError> {
        self.running.insert(cpu).then_some(()).ok_or(CallError::BadArgument)
    }

    fn wake(&mut self, cpu: u32) {
        self.woken.push(cpu);
    }
}

impl Devices for FakePlatform {
    fn read_device(&mut self, offset: u64) -> Result<u32, CallError> {
        let devices = self.devices.as_ref().ok_or(CallError::UnknownCall)?;
        Ok(devices.get(&offset).copied().unwrap_or(0))
    }

    fn write_device(&mut self, offset: u64, value: u32) -> Result<(), CallError> {
        let devices = self.devices.as_mut().ok_or(CallError::UnknownCall)?;
        devices.insert(offset, value);
        Ok(())
    }
}
