//! Where a JSON object ends.

/// Follows an object, byte by byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    is_text: bool,
    is_escaped: bool,
}

/// What a piece of text is to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// All of it belongs to it.
    Inside,
    /// It ends after so many bytes.
    Ends(usize),
    /// It is no object.
    Other,
}

impl Scan {
    /// Goes on by a text.
    pub(super) fn push(&mut self, text: &str) -> Scanned {
        for (at, byte) in text.bytes().enumerate() {
            if self.depth == 0 && byte != b'{' {
                return Scanned::Other;
            }
            self.step(byte);
            if self.depth == 0 {
                return Scanned::Ends(at + 1);
            }
        }
        Scanned::Inside
    }

    fn step(&mut self, byte: u8) {
        if self.is_escaped {
            self.is_escaped = false;
            return;
        }
        match byte {
            b'\\' => self.is_escaped = self.is_text,
            b'"' => self.is_text = !self.is_text,
            b'{' | b'[' if !self.is_text => self.depth += 1,
            b'}' | b']' if !self.is_text => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}
