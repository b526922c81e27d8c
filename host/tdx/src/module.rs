//! The module: what it answers itself, and what it passes on to the host.
//!
//! Spec: TDX Module ABI (348551): TDG.VP.VMCALL (0), TDG.VP.INFO (1), TDG.MR.RTMR.EXTEND (2), TDG.MR.REPORT (4),
//! TDG.MEM.PAGE.ACCEPT (6).

use sha2::{Digest as _, Sha384};

use crate::pages::{Mapping, PAGE, PAGES_OF_LARGE, Pages};
use crate::report::{REPORT_BYTES, TdInfo};

const VMCALL: u64 = 0;
const VP_INFO: u64 = 1;
const RTMR_EXTEND: u64 = 2;
const MR_REPORT: u64 = 4;
const PAGE_ACCEPT: u64 = 6;
const OPERAND_INVALID: u64 = 0xC000_0100_0000_0000;
const OPERAND_BUSY: u64 = 0x8000_0200_0000_0000;
const PAGE_ALREADY_ACCEPTED: u64 = 0x0000_0B0A_0000_0000;
const PAGE_SIZE_MISMATCH: u64 = 0xC000_0B0B_0000_0000;
/// Numbers of operands, in the details of a status.
const RAX: u64 = 0;
const RCX: u64 = 1;
const RDX: u64 = 2;
const R8: u64 = 8;
const RTMR: u64 = 168;

/// Registers of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "register names")]
pub struct Registers {
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub r8: u64,
    /// R10 to R15.
    pub shared: [u64; 6],
}

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Back to the guest with these registers.
    Back(Registers),
    /// To the host, which sees R10 to R15 so; [`Module::resume`] brings its answer back.
    Host([u64; 6]),
    /// To the host, since the guest means a page that is not there.
    Violation(u64),
}

/// A domain's private memory.
pub trait Memory {
    /// Reads; `None` where there is no memory.
    fn read(&self, gpa: u64, to: &mut [u8]) -> Option<()>;
    /// Writes.
    fn write(&mut self, gpa: u64, from: &[u8]) -> Option<()>;
    /// Makes whole pages zero.
    fn clear(&mut self, gpa: u64, bytes: u64) -> Option<()>;
}

/// A domain that runs, and its module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Whose each page is.
    pub pages: Pages,
    /// What its reports say.
    pub info: TdInfo,
    /// Width of guest physical addresses.
    pub width: u8,
    /// Calls of report and RTMRs that find the lock of the RTMRs held: for tests.
    pub busy: u32,
    /// A leaf that always finds it held: for tests.
    pub busy_leaf: Option<u64>,
}

impl Module {
    pub(crate) const fn new(pages: Pages, info: TdInfo, width: u8) -> Self {
        Self { pages, info, width, busy: 0, busy_leaf: None }
    }

    /// Serves a call: RAX has its leaf.
    pub fn call(&mut self, registers: Registers, memory: &mut impl Memory) -> Turn {
        let Registers { rax, rcx, rdx, r8, .. } = registers;
        let status = match rax {
            VMCALL => return passed(registers),
            VP_INFO => {
                return Turn::Back(Registers { rax: 0, rcx: self.width.into(), ..registers });
            }
            RTMR_EXTEND => self.extend(memory, rcx, rdx),
            MR_REPORT => self.report(memory, [rcx, rdx, r8]),
            PAGE_ACCEPT => match self.accept(memory, rcx) {
                Some(status) => status,
                None => return Turn::Violation(rcx & !0xFFF),
            },
            _ => OPERAND_INVALID | RAX,
        };
        Turn::Back(Registers { rax: status, ..registers })
    }

    /// What the guest has of a call when the host has answered it: only what it showed changes.
    #[must_use]
    pub fn resume(registers: Registers, answer: [u64; 6]) -> Registers {
        let shared =
            core::array::from_fn(
                |at| {
                    if is_shown(&registers, at) { answer[at] } else { registers.shared[at] }
                },
            );
        Registers { rax: 0, shared, ..registers }
    }

    /// Copies out of memory that is the domain's.
    fn private(&self, memory: &impl Memory, gpa: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        let is_own = matches!(self.pages.of(gpa), Mapping::Accepted { .. });
        memory.read(gpa, &mut bytes).filter(|()| is_own && gpa % PAGE + len as u64 <= PAGE)?;
        Some(bytes)
    }

    fn is_busy(&mut self, leaf: u64) -> bool {
        let is_busy = self.busy > 0 || self.busy_leaf == Some(leaf);
        self.busy = self.busy.saturating_sub(1);
        is_busy
    }

    fn extend(&mut self, memory: &impl Memory, from: u64, index: u64) -> u64 {
        let digest = self.private(memory, from, 48).filter(|_| from.is_multiple_of(64));
        let Some(digest) = digest else { return OPERAND_INVALID | RCX };
        let Some(index) = usize::try_from(index).ok().filter(|&index| index < self.info.rtmr.len()) else {
            return OPERAND_INVALID | RDX;
        };
        if self.is_busy(RTMR_EXTEND) {
            return OPERAND_BUSY | RTMR;
        }
        let old = self.info.rtmr[index];
        self.info.rtmr[index] = Sha384::digest([&old[..], &digest].concat()).into();
        0
    }

    fn report(&mut self, memory: &mut impl Memory, [to, from, subtype]: [u64; 3]) -> u64 {
        let is_right = to.is_multiple_of(1024) && self.private(memory, to, REPORT_BYTES).is_some();
        if !is_right {
            return OPERAND_INVALID | RCX;
        }
        let data = self.private(memory, from, 64).filter(|_| from.is_multiple_of(64));
        let Some(data) = data.and_then(|data| data.try_into().ok()) else { return OPERAND_INVALID | RDX };
        if subtype != 0 {
            return OPERAND_INVALID | R8;
        }
        if self.is_busy(MR_REPORT) {
            return OPERAND_BUSY | RTMR;
        }
        if memory.write(to, &self.info.report(&data)).is_some() { 0 } else { OPERAND_INVALID | RCX }
    }

    /// `None` for a page that is not there.
    fn accept(&mut self, memory: &mut impl Memory, operand: u64) -> Option<u64> {
        let (gpa, level) = (operand & !0xFFF, operand & 7);
        let is_large = level == 1;
        let bytes = if is_large { PAGE * PAGES_OF_LARGE } else { PAGE };
        if level > 1 || operand & 0xFF8 != 0 || gpa % bytes != 0 || gpa >> (self.width - 1) != 0 {
            return Some(OPERAND_INVALID | RCX);
        }
        match self.pages.of(gpa) {
            Mapping::Accepted { is_large: true } => Some(PAGE_ALREADY_ACCEPTED | 1),
            Mapping::Accepted { is_large: false } | Mapping::Pending { is_large: false } if is_large => {
                Some(PAGE_SIZE_MISMATCH | 1)
            }
            Mapping::Accepted { .. } => Some(PAGE_ALREADY_ACCEPTED),
            Mapping::Pending { is_large: entry } if entry == is_large => {
                memory.clear(gpa, bytes)?;
                self.pages.set(gpa..gpa + bytes, Mapping::Accepted { is_large });
                Some(0)
            }
            _ => None,
        }
    }
}

/// RAX, RCX and RSP cannot be shown, and nothing is in the upper half.
fn passed(registers: Registers) -> Turn {
    if registers.rcx & (1 | 1 << 1 | 1 << 4) != 0 || registers.rcx >> 32 != 0 {
        return Turn::Back(Registers { rax: OPERAND_INVALID | RCX, ..registers });
    }
    let seen = |at| if is_shown(&registers, at) { registers.shared[at] } else { 0 };
    Turn::Host(core::array::from_fn(seen))
}

const fn is_shown(registers: &Registers, at: usize) -> bool {
    registers.rcx >> (10 + at) & 1 == 1
}
