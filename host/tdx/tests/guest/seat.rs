//! A cpu of a domain: the module that is played, and whatever host a test puts behind it.

use core::ops::{Deref, DerefMut};

use vial_simulated_tdx::{self as played, Builder, Mapping, Turn};
use vial_tdx::{Registers, Tdcall};

use crate::memory::Common;

/// What the guest sees where a call would end in the host's fault handler.
const EPT_VIOLATION: u64 = 0xDEAD_0000_0000_0000;

/// The host: R10 to R15 in, R10 to R15 out.
pub(crate) type Host = Box<dyn FnMut([u64; 6]) -> [u64; 6]>;

/// A domain's cpu.
pub(crate) struct Module {
    inner: played::Module,
    pub(crate) memory: Common,
    pub(crate) host: Host,
    /// Leaves that were called, in order.
    pub(crate) called: Vec<u64>,
}

impl Module {
    /// A domain that was built so, with addresses of 52 bits.
    pub(crate) fn new(builder: Builder, memory: &Common) -> Self {
        let host: Host = Box::new(|_| [1 << 63, 0, 0, 0, 0, 0]);
        Self { inner: builder.finalize(52), memory: memory.clone(), host, called: Vec::new() }
    }

    /// The host adds pages.
    pub(crate) fn augment(&mut self, gpa: u64, bytes: u64, is_large: bool) {
        self.pages.set(gpa..gpa + bytes, Mapping::Pending { is_large });
    }

    /// The bytes of a page that is the guest's.
    pub(crate) fn accepted(&self, gpa: u64) -> Option<[u8; 4096]> {
        let is_own = matches!(self.pages.of(gpa), Mapping::Accepted { .. });
        is_own.then(|| *self.memory.borrow_mut().page(gpa))
    }
}

impl Deref for Module {
    type Target = played::Module;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Module {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl Tdcall for Module {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        self.called.push(leaf);
        let Registers { rcx, rdx, r8, shared, .. } = registers;
        let call = played::Registers { rax: leaf, rcx, rdx, r8, shared };
        let turn = self.inner.call(call, &mut *self.memory.borrow_mut());
        let played::Registers { rax, rcx, rdx, r8, shared } = match turn {
            Turn::Back(registers) => registers,
            Turn::Host(seen) => played::Module::resume(call, (self.host)(seen)),
            Turn::Violation(_) => played::Registers { rax: EPT_VIOLATION, ..call },
        };
        Registers { rax, rcx, rdx, r8, shared }
    }
}
