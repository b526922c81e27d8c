//! What targets that play a host have in common: a script, and memory of one run.

use core::ops::Range;
use vial_simulated_snp as snp;
use vial_simulated_tdx as tdx;

/// What is left of an input that chooses what happens; zeros behind its end.
#[derive(Clone, Copy)]
pub struct Script<'a>(pub &'a [u8]);

impl Script<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let first = self.0.split_off_first();
        first.copied().unwrap_or(0)
    }

    /// The next eight.
    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }
}

/// Bytes from an address on. As what is around a guest it has ports and devices that are full of sevens.
pub struct Memory {
    from: u64,
    bytes: Vec<u8>,
}

impl Memory {
    /// All zeros.
    pub fn zeros(range: Range<u64>) -> Self {
        let len = usize::try_from(range.end - range.start).expect("small");
        Self { from: range.start, bytes: vec![0; len] }
    }

    fn at(&self, pa: u64, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(pa.checked_sub(self.from)?).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// `len` bytes from `pa` on; `None` where there is no memory.
    pub fn bytes(&self, pa: u64, len: usize) -> Option<&[u8]> {
        self.bytes.get(self.at(pa, len)?)
    }

    /// Copies bytes out; `None` where there is no memory.
    pub fn read(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        to.copy_from_slice(self.bytes(pa, to.len())?);
        Some(())
    }

    /// Copies bytes in; `None` where there is no memory.
    pub fn write(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        let at = self.at(pa, from.len())?;
        self.bytes[at].copy_from_slice(from);
        Some(())
    }

    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        let (words, _) = self.bytes(pa, 4096)?.as_chunks();
        Some(core::array::from_fn(|at| u64::from_le_bytes(words[at])))
    }
}

/// Both traits ask for the same, but for what the second names beside.
macro_rules! around {
    ($around:path, $($beside:item)*) => {
        impl $around for Memory {
            fn read(&self, pa: u64, to: &mut [u8]) -> Option<()> {
                self.read(pa, to)
            }
            fn write(&mut self, pa: u64, from: &[u8]) -> Option<()> {
                self.write(pa, from)
            }
            fn out(&mut self, _port: u16, bytes: &[u8]) {
                assert!(matches!(bytes.len(), 1 | 2 | 4));
            }
            fn input(&mut self, _port: u16, bytes: &mut [u8]) {
                bytes.fill(7);
            }
            fn write_device(&mut self, _pa: u64, bytes: &[u8]) {
                assert!(bytes.len() <= 8);
            }
            fn read_device(&mut self, _pa: u64, bytes: &mut [u8]) {
                bytes.fill(7);
            }
            fn write_msr(&mut self, register: u32, _value: u64) -> Option<()> {
                (register & 1 == 0).then_some(())
            }
            fn read_msr(&mut self, register: u32) -> Option<u64> {
                (register & 1 == 0).then_some(5)
            }
            $($beside)*
        }
    };
}

around!(snp::Around,);
around!(
    tdx::Around,
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        [leaf, subleaf, 7, 7]
    }
);

impl tdx::Memory for Memory {
    fn read(&self, gpa: u64, to: &mut [u8]) -> Option<()> {
        self.read(gpa, to)
    }
    fn write(&mut self, gpa: u64, from: &[u8]) -> Option<()> {
        self.write(gpa, from)
    }
    fn clear(&mut self, gpa: u64, bytes: u64) -> Option<()> {
        let at = self.at(gpa, usize::try_from(bytes).ok()?)?;
        self.bytes[at].fill(0);
        Some(())
    }
}

impl snp::Tables for Memory {
    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        self.table(pa)
    }
}

impl tdx::Tables for Memory {
    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        self.table(pa)
    }
}
