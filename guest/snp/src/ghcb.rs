//! The page through which a cpu and its host speak. Spec: AMD 56421 rev 2.03 §2.6, table 4.

use crate::processor::{Processor, Refusal};
use crate::protocol::VERSION;

const EXIT_CODE: u64 = 0x390;
const INFO_1: u64 = 0x398;
const INFO_2: u64 = 0x3A0;
const SCRATCH: u64 = 0x3A8;
const VALID: u64 = 0x3F0;
/// Offset of the buffer inside the page.
pub const BUFFER: u64 = 0x800;
/// The page's last word: version in bits 16 to 31, usage above; usage 0 is this layout.
const LAST: u64 = 0xFF8;

/// A register that a wish or its answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// RAX.
    A,
    /// RBX.
    B,
    /// RCX.
    C,
    /// RDX.
    D,
}

impl Register {
    const fn offset(self) -> u64 {
        match self {
            Self::A => 0x1F8,
            Self::B => 0x318,
            Self::C => 0x308,
            Self::D => 0x310,
        }
    }
}

/// A wish: why the guest exits. Spec: §4, table 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// The exit's code.
    pub code: u64,
    /// Its two words.
    pub info: [u64; 2],
    /// Registers that go with it.
    pub registers: &'a [(Register, u64)],
    /// Bytes of the buffer matter.
    pub has_buffer: bool,
}

/// The GHCB of the running cpu.
#[derive(Debug)]
pub struct Ghcb<'a, P> {
    /// The cpu.
    pub processor: &'a mut P,
    page: u64,
}

impl<'a, P: Processor> Ghcb<'a, P> {
    /// The GHCB at `page`, which was registered, so that the register names it: see [`crate::protocol::register`].
    #[must_use]
    pub const fn at(page: u64, processor: &'a mut P) -> Self {
        Self { processor, page }
    }

    /// Address of the buffer.
    #[must_use]
    pub const fn buffer(&self) -> u64 {
        self.page + BUFFER
    }

    /// Has the host do something.
    ///
    /// # Errors
    /// [`Refusal::Host`] where it says that it did not.
    pub fn ask(&mut self, wish: &Wish<'_>) -> Result<(), Refusal> {
        self.say(wish);
        self.processor.exit();
        self.done()
    }

    /// As [`Self::ask`], until an interrupt was served. What the page then holds is no answer: whatever interrupted has spoken
    /// through it, too.
    pub fn wait(&mut self, wish: &Wish<'_>) {
        self.say(wish);
        self.processor.exit_until_interrupt();
    }

    /// A register of the answer. From the host: untrusted.
    #[must_use]
    pub fn answer(&self, register: Register) -> u64 {
        self.word(register.offset())
    }

    /// The answer's second word. From the host: untrusted.
    #[must_use]
    pub fn result(&self) -> u64 {
        self.word(INFO_2)
    }

    fn say(&mut self, wish: &Wish<'_>) {
        let mut valid = [0; 2];
        let [first, second] = wish.info;
        let own = [(EXIT_CODE, wish.code), (INFO_1, first), (INFO_2, second)];
        let scratch = wish.has_buffer.then_some((SCRATCH, self.buffer()));
        let registers = wish.registers.iter().map(|&(register, value)| (register.offset(), value));
        for (offset, value) in own.into_iter().chain(scratch).chain(registers) {
            self.put(offset, value);
            mark(&mut valid, offset);
        }
        let [low, high] = valid;
        self.put(VALID, low);
        self.put(VALID + 8, high);
        self.put(LAST, u64::from(VERSION) << 16);
    }

    /// Spec: §2.3.2.1: the low half of the first word is 0 where nothing went wrong.
    fn done(&self) -> Result<(), Refusal> {
        if self.word(INFO_1) & 0xFFFF_FFFF == 0 { Ok(()) } else { Err(Refusal::Host) }
    }

    fn word(&self, offset: u64) -> u64 {
        self.processor.shared(self.page + offset)
    }

    fn put(&mut self, offset: u64, value: u64) {
        self.processor.set_shared(self.page + offset, value);
    }
}

/// A bit for each word of the page's first kilobyte.
fn mark(valid: &mut [u64; 2], offset: u64) {
    let [low, high] = valid;
    let half = if offset < 0x200 { low } else { high };
    *half |= 1 << (offset / 8 % 64);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: AMD 56421 rev 2.03, table 4: bits counted by hand.
    #[test]
    fn words_are_marked_where_the_table_has_them() {
        let bits = |offsets: &[u64]| {
            let mut valid = [0; 2];
            offsets.iter().for_each(|&offset| mark(&mut valid, offset));
            valid
        };
        assert_eq!(bits(&[Register::A.offset()]), [1 << 63, 0]);
        let rest = [Register::C, Register::D, Register::B].map(Register::offset);
        assert_eq!(bits(&rest), [0, 1 << 33 | 1 << 34 | 1 << 35]);
        assert_eq!(bits(&[EXIT_CODE, INFO_1, INFO_2, SCRATCH]), [0, 0b1111 << 50]);
    }
}
