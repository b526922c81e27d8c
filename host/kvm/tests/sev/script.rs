//! How the test's kernel behaves, and what it saw.

use std::collections::VecDeque;
use std::fs::File;

use crate::wire;

/// What the secure processor does to a page.
pub(crate) type Correction = fn(&mut [u8]);

/// How the kernel behaves.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What it answers about itself.
    pub(crate) capabilities: Vec<(u64, i32)>,
    /// What CPUID may say: leaf, subleaf, flags, EAX to EDX.
    pub(crate) cpuid: Vec<[u32; 7]>,
    /// The first call whose label begins so is refused, with this error and status of the secure processor.
    pub(crate) refusal: Option<(&'static str, i32, u32)>,
    /// A call with this label is refused after so many that were not, with this error.
    pub(crate) refusal_after: Option<(&'static str, usize, i32)>,
    /// Most pages that one update loads.
    pub(crate) pages_at_once: u64,
    /// Updates answered with EAGAIN before one that loads.
    pub(crate) tries: u32,
    /// What the secure processor makes of a CPUID page that it refuses.
    pub(crate) correction: Option<Correction>,
    /// Why the first cpu stops: reason, what goes with it, error.
    pub(crate) exits: VecDeque<(u32, Vec<u8>, i32)>,
}

impl Default for Script {
    fn default() -> Self {
        let capabilities = vec![
            (wire::VM_TYPES, 0x1F),
            (wire::GUEST_MEMFD, 1),
            (wire::MEMORY_ATTRIBUTES, 8),
            (wire::USER_MEMORY2, 1),
            (wire::EXIT_HYPERCALL, 1 << 12),
        ];
        Self {
            capabilities,
            cpuid: vec![[0, 0, 0, 0xD, 0x6874_7541, 0x444D_4163, 0x6974_6E65]],
            refusal: None,
            refusal_after: None,
            pages_at_once: u64::MAX,
            tries: 0,
            correction: None,
            exits: VecDeque::new(),
        }
    }
}

/// One call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    /// Its name and number.
    pub(crate) label: String,
    /// What its argument points to.
    pub(crate) bytes: Vec<u8>,
    /// SEV: the command's own structure.
    pub(crate) data: Vec<u8>,
    /// SEV: what that structure points to.
    pub(crate) contents: Vec<Vec<u8>>,
    /// SEV: how many bytes were loaded.
    pub(crate) loaded: u64,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
    /// Files of private memory, by slot.
    pub(crate) private: Vec<File>,
    /// Descriptors that nobody has closed.
    pub(crate) left: usize,
}

impl Record {
    pub(crate) fn labels(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.label.as_str()).collect()
    }

    pub(crate) fn of<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().filter(move |call| call.label == label)
    }
}
