//! A TDX module in software, written from the specification and not from the code under test.
//!
//! It builds a domain, measures it, and answers the guest's calls; it refuses what the specification says that it refuses.
//!
//! Spec: TDX Module ABI (348551): TDH.MEM.PAGE.ADD, TDH.MR.EXTEND, TDH.MR.FINALIZE, TDG.VP.VMCALL (0), TDG.VP.INFO (1),
//! TDG.MR.RTMR.EXTEND (2), TDG.MR.REPORT (4), TDG.MEM.PAGE.ACCEPT (6).

use sha2::{Digest as _, Sha384};
use vial_hal::tdx::{Registers, Tdcall};

use crate::memory::{Common, Mapping};
use crate::tdreport::TdInfo;

const OPERAND_INVALID: u64 = 0xC000_0100_0000_0000;
const OPERAND_BUSY: u64 = 0x8000_0200_0000_0000;
const PAGE_ALREADY_ACCEPTED: u64 = 0x0000_0B0A_0000_0000;
const PAGE_SIZE_MISMATCH: u64 = 0xC000_0B0B_0000_0000;
/// What the guest never sees: a call that would end in the host's fault handler.
const EPT_VIOLATION: u64 = 0xDEAD_0000_0000_0000;
/// Numbers of operands, in the details of a status.
const RAX: u64 = 0;
const RCX: u64 = 1;
const RDX: u64 = 2;
const R8: u64 = 8;
const RTMR: u64 = 168;

/// The host: R10 to R15 in, R10 to R15 out.
pub(crate) type Host = Box<dyn FnMut([u64; 6]) -> [u64; 6]>;

/// A domain and its module.
pub(crate) struct Module {
    pub(crate) memory: Common,
    pub(crate) info: TdInfo,
    pub(crate) host: Host,
    /// Calls of report and RTMRs that find the lock of the RTMRs held.
    pub(crate) busy: u32,
    /// Width of guest physical addresses.
    pub(crate) width: u64,
    /// Leaves that were called, in order.
    pub(crate) called: Vec<u64>,
    measured: Option<Sha384>,
}

impl Module {
    /// A domain without a page.
    pub(crate) fn create(memory: &Common) -> Self {
        let host: Host = Box::new(|_| [1 << 63, 0, 0, 0, 0, 0]);
        let (info, measured) = (TdInfo::default(), Some(Sha384::new()));
        Self { memory: memory.clone(), info, host, busy: 0, width: 52, called: Vec::new(), measured }
    }

    /// TDH.MEM.PAGE.ADD: a page, not measured but for its address.
    pub(crate) fn page_add(&mut self, gpa: u64, bytes: [u8; 4096]) {
        assert_eq!(gpa % 4096, 0);
        let page = (Mapping::Mapped { is_large: false }, Box::new(bytes));
        assert!(self.memory.borrow_mut().private.insert(gpa, page).is_none(), "added twice");
        self.update(&Self::block(b"MEM.PAGE.ADD", gpa));
    }

    /// TDH.MR.EXTEND: 256 bytes of a page.
    pub(crate) fn mr_extend(&mut self, gpa: u64) {
        assert_eq!(gpa % 256, 0);
        let memory = self.memory.clone();
        let mut memory = memory.borrow_mut();
        let at = (gpa % 4096) as usize;
        let chunk = &memory.mapped(gpa).unwrap()[at..at + 256];
        self.update(&Self::block(b"MR.EXTEND", gpa));
        self.update(&chunk[..128]);
        self.update(&chunk[128..]);
    }

    /// TDH.MR.FINALIZE: nothing is measured after this, and the domain runs.
    pub(crate) fn finalize(&mut self) {
        self.info.mrtd = self.measured.take().unwrap().finalize().into();
    }

    fn update(&mut self, bytes: &[u8]) {
        self.measured.as_mut().expect("a domain that is built").update(bytes);
    }

    fn block(name: &[u8], gpa: u64) -> Vec<u8> {
        let mut block = name.to_vec();
        block.resize(16, 0);
        block.extend(gpa.to_le_bytes());
        block.resize(128, 0);
        block
    }

    /// Copies out of private memory that is the guest's and not shared.
    fn private(&self, gpa: u64, len: usize) -> Option<Vec<u8>> {
        let mut memory = self.memory.borrow_mut();
        let at = (gpa % 4096) as usize;
        memory.mapped(gpa).and_then(|page| page.get(at..at + len).map(<[u8]>::to_vec))
    }

    fn is_busy(&mut self) -> bool {
        let is_busy = self.busy > 0;
        self.busy = self.busy.saturating_sub(1);
        is_busy
    }

    fn rtmr_extend(&mut self, from: u64, index: u64) -> u64 {
        let digest = self.private(from, 48).filter(|_| from.is_multiple_of(64));
        let Some(digest) = digest else { return OPERAND_INVALID | RCX };
        let Some(index) = usize::try_from(index).ok().filter(|&index| index < 4) else {
            return OPERAND_INVALID | RDX;
        };
        if self.is_busy() {
            return OPERAND_BUSY | RTMR;
        }
        let old = self.info.rtmr[index];
        self.info.rtmr[index] = Sha384::digest([&old[..], &digest].concat()).into();
        0
    }

    fn report(&mut self, to: u64, from: u64, subtype: u64) -> u64 {
        if !to.is_multiple_of(1024) {
            return OPERAND_INVALID | RCX;
        }
        let data = self.private(from, 64).filter(|_| from.is_multiple_of(64));
        let Some(data) = data else { return OPERAND_INVALID | RDX };
        if subtype != 0 {
            return OPERAND_INVALID | R8;
        }
        if self.is_busy() {
            return OPERAND_BUSY | RTMR;
        }
        let report = self.info.report(data.as_slice().try_into().unwrap());
        let mut memory = self.memory.borrow_mut();
        let Some(page) = memory.mapped(to) else { return OPERAND_INVALID | RCX };
        let at = (to % 4096) as usize;
        page[at..at + 1024].copy_from_slice(&report);
        0
    }

    fn accept(&self, operand: u64) -> u64 {
        let (gpa, level) = (operand & !0xFFF, operand & 7);
        let is_large = level == 1;
        let bytes = if is_large { 2 << 20 } else { 4096 };
        if level > 1 || operand & 0xFF8 != 0 || gpa % bytes != 0 || gpa >> (self.width - 1) != 0 {
            return OPERAND_INVALID | RCX;
        }
        let mut memory = self.memory.borrow_mut();
        match memory.private.get(&gpa).map(|(mapping, _)| *mapping) {
            Some(Mapping::Mapped { is_large: true }) => PAGE_ALREADY_ACCEPTED | 1,
            Some(Mapping::Mapped { is_large: false } | Mapping::Pending { is_large: false }) if is_large => {
                PAGE_SIZE_MISMATCH | 1
            }
            Some(Mapping::Mapped { .. }) => PAGE_ALREADY_ACCEPTED,
            Some(Mapping::Pending { is_large: entry }) if entry == is_large => {
                for page in (gpa..gpa + bytes).step_by(4096) {
                    let (mapping, content) = memory.private.get_mut(&page).unwrap();
                    (*mapping, **content) = (Mapping::Mapped { is_large }, [0; 4096]);
                }
                0
            }
            _ => EPT_VIOLATION,
        }
    }

    fn vmcall(&mut self, registers: Registers) -> Registers {
        // RAX, RCX and RSP cannot be passed, and nothing is in the upper half.
        if registers.rcx & (1 | 1 << 1 | 1 << 4) != 0 || registers.rcx >> 32 != 0 {
            return Registers { rax: OPERAND_INVALID | RCX, ..registers };
        }
        let is_passed: [bool; 6] = core::array::from_fn(|at| registers.rcx >> (10 + at) & 1 == 1);
        let seen = core::array::from_fn(|at| if is_passed[at] { registers.shared[at] } else { 0 });
        let answer = (self.host)(seen);
        let shared = core::array::from_fn(|at| if is_passed[at] { answer[at] } else { registers.shared[at] });
        Registers { rax: 0, shared, ..registers }
    }
}

impl Tdcall for Module {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        assert!(self.measured.is_none(), "a domain that runs");
        self.called.push(leaf);
        let Registers { rcx, rdx, r8, .. } = registers;
        let rax = match leaf {
            0 => return self.vmcall(registers),
            1 => return Registers { rax: 0, rcx: self.width, ..registers },
            2 => self.rtmr_extend(rcx, rdx),
            4 => self.report(rcx, rdx, r8),
            6 => self.accept(rcx),
            _ => OPERAND_INVALID | RAX,
        };
        Registers { rax, ..registers }
    }
}
