//! A domain's memory, private and shared, and the handles through which the guest's code reaches it.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use vial_tdx::{PrivatePage, SharedBit, SharedGpa, SharedPages};

/// Both kinds of memory, in pages of 4 KiB; which private ones are there, the module knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) private: BTreeMap<u64, Box<[u8; 4096]>>,
    pub(crate) shared: BTreeMap<u64, Box<[u8; 4096]>>,
}

impl Memory {
    /// A private page; what was never written is noise.
    pub(crate) fn page(&mut self, gpa: u64) -> &mut [u8; 4096] {
        self.private.entry(gpa & !0xFFF).or_insert_with(|| Box::new([0xAA; 4096]))
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

impl vial_simulated_tdx::Memory for Memory {
    fn read(&self, gpa: u64, to: &mut [u8]) -> Option<()> {
        let at = (gpa & 0xFFF) as usize;
        let page = self.private.get(&(gpa & !0xFFF)).map_or([0xAA; 4096], |page| **page);
        to.copy_from_slice(page.get(at..at + to.len())?);
        Some(())
    }

    fn write(&mut self, gpa: u64, from: &[u8]) -> Option<()> {
        let at = (gpa & 0xFFF) as usize;
        self.page(gpa).get_mut(at..at + from.len())?.copy_from_slice(from);
        Some(())
    }

    fn clear(&mut self, gpa: u64, bytes: u64) -> Option<()> {
        (gpa..gpa + bytes).step_by(4096).for_each(|gpa| self.page(gpa).fill(0));
        Some(())
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
        self.0.borrow_mut().page(self.1)[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn read(&self, at: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.0.borrow_mut().page(self.1)[at..at + to.len()]);
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
