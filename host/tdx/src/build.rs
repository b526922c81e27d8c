//! Building a domain. Spec: TDX Module ABI (348551): TDH.MEM.PAGE.ADD, TDH.MR.EXTEND, TDH.MR.FINALIZE.

use sha2::{Digest as _, Sha384};

use crate::module::{Memory, Module};
use crate::pages::{Mapping, PAGE, Pages};
use crate::report::TdInfo;

/// Bytes that one TDH.MR.EXTEND measures.
const CHUNK: usize = 256;

/// A domain that does not run yet.
#[derive(Clone, Debug)]
pub struct Builder {
    pages: Pages,
    measured: Sha384,
}

impl Builder {
    /// One without a page, for addresses below `end`.
    #[must_use]
    pub fn new(end: u64) -> Self {
        Self { pages: Pages::absent(end), measured: Sha384::new() }
    }

    /// Adds whole pages and measures all of them; `None` where an address is not a page's, is taken, or there is no memory.
    pub fn add(&mut self, memory: &mut impl Memory, gpa: u64, bytes: &[u8]) -> Option<()> {
        let pages = (gpa..).step_by(4096).zip(bytes.as_chunks::<4096>().0);
        (gpa.is_multiple_of(PAGE) && bytes.len().is_multiple_of(4096)).then_some(())?;
        for (gpa, page) in pages {
            (self.pages.of(gpa) == Mapping::Absent).then_some(())?;
            self.pages.set(gpa..gpa + PAGE, Mapping::Accepted { is_large: false });
            memory.write(gpa, page)?;
            self.update(&block(b"MEM.PAGE.ADD", gpa));
            for (gpa, chunk) in (gpa..).step_by(CHUNK).zip(page.as_chunks::<CHUNK>().0) {
                self.update(&block(b"MR.EXTEND", gpa));
                self.update(&chunk[..128]);
                self.update(&chunk[128..]);
            }
        }
        Some(())
    }

    /// Nothing is measured after this, and the domain runs; its guest addresses have `width` bits.
    #[must_use]
    pub fn finalize(self, width: u8) -> Module {
        let info = TdInfo { mrtd: self.measured.finalize().into(), ..TdInfo::default() };
        Module::new(self.pages, info, width)
    }

    fn update(&mut self, bytes: &[u8]) {
        self.measured.update(bytes);
    }
}

fn block(name: &[u8], gpa: u64) -> Vec<u8> {
    let mut block = name.to_vec();
    block.resize(16, 0);
    block.extend(gpa.to_le_bytes());
    block.resize(128, 0);
    block
}
