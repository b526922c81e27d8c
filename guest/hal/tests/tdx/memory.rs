//! A domain's memory, private and shared, and the handles through which the guest's code reaches it.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use vial_hal::tdx::{PrivatePage, SharedBit, SharedGpa, SharedPages};

/// How a private page is mapped. Spec: TDX Module Base Architecture (348549), secure EPT entry states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// Added by the host, not accepted; `is_large` if its entry maps 2 MiB.
    Pending { is_large: bool },
    /// The guest's.
    Mapped { is_large: bool },
}

/// Both kinds of memory, in pages of 4 KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) private: BTreeMap<u64, (Mapping, Box<[u8; 4096]>)>,
    pub(crate) shared: BTreeMap<u64, Box<[u8; 4096]>>,
}

impl Memory {
    /// A private page that is the guest's, unless it is not.
    pub(crate) fn mapped(&mut self, gpa: u64) -> Option<&mut [u8; 4096]> {
        let (mapping, bytes) = self.private.get_mut(&(gpa & !0xFFF))?;
        matches!(mapping, Mapping::Mapped { .. }).then_some(bytes)
    }

    /// Adds `bytes` of pending memory at `gpa`.
    pub(crate) fn augment(&mut self, gpa: u64, bytes: u64, is_large: bool) {
        for page in (gpa..gpa + bytes).step_by(4096) {
            self.private.insert(page, (Mapping::Pending { is_large }, Box::new([0xAA; 4096])));
        }
    }

    /// `len` shared bytes from `gpa` on.
    pub(crate) fn shared_bytes(&self, gpa: u64, len: usize) -> Vec<u8> {
        let byte = |at: u64| self.shared[&(at & !0xFFF)][(at & 0xFFF) as usize];
        (gpa..).take(len).map(byte).collect()
    }

    /// Writes shared bytes from `gpa` on.
    pub(crate) fn write_shared(&mut self, gpa: u64, bytes: &[u8]) {
        for (at, byte) in (gpa..).zip(bytes) {
            self.shared.get_mut(&(at & !0xFFF)).unwrap()[(at & 0xFFF) as usize] = *byte;
        }
    }
}

/// One memory, seen by module, host and guest.
pub(crate) type Common = Rc<RefCell<Memory>>;

/// A page of the guest's.
pub(crate) struct Page(pub(crate) Common, pub(crate) u64);

impl PrivatePage for Page {
    fn gpa(&self) -> u64 {
        self.1
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        let mut memory = self.0.borrow_mut();
        let page = memory.mapped(self.1 & !0xFFF).unwrap();
        page[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn read(&self, at: usize, to: &mut [u8]) {
        let mut memory = self.0.borrow_mut();
        let page = memory.mapped(self.1 & !0xFFF).unwrap();
        to.copy_from_slice(&page[at..at + to.len()]);
    }
}

/// What the host does after the guest has looked for the n-th time, from 1.
pub(crate) type AfterLook = Box<dyn FnMut(u32, &mut Memory)>;

/// Shared pages, and a host that may change them between any two looks.
pub(crate) struct Pages {
    pub(crate) memory: Common,
    gpa: SharedGpa,
    len_bytes: usize,
    looks: Cell<u32>,
    pub(crate) after_look: RefCell<AfterLook>,
}

impl Pages {
    pub(crate) fn new(memory: &Common, bit: SharedBit, gpa: u64, len_bytes: usize) -> Self {
        let gpa = bit.share(gpa);
        for page in (gpa.value()..).step_by(4096).take(len_bytes / 4096) {
            memory.borrow_mut().shared.insert(page, Box::new([0; 4096]));
        }
        let after_look: RefCell<AfterLook> = RefCell::new(Box::new(|_, _| ()));
        Self { memory: memory.clone(), gpa, len_bytes, looks: Cell::new(0), after_look }
    }
}

impl SharedPages for Pages {
    fn gpa(&self) -> SharedGpa {
        self.gpa
    }

    fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.memory.borrow_mut().write_shared(self.gpa.value() + at as u64, bytes);
    }

    fn read(&self, at: usize, to: &mut [u8]) {
        let mut memory = self.memory.borrow_mut();
        to.copy_from_slice(&memory.shared_bytes(self.gpa.value() + at as u64, to.len()));
        self.looks.set(self.looks.get() + 1);
        (self.after_look.borrow_mut())(self.looks.get(), &mut memory);
    }
}
