//! Console lines: for people, never with prompt or response content.

use core::fmt;
use vial_abi::call::CONSOLE_MAX;

/// A line being written; what does not fit is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    bytes: [u8; CONSOLE_MAX],
    len: usize,
}

impl Line {
    /// A line of these arguments.
    #[must_use]
    pub fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut line = Self { bytes: [0; CONSOLE_MAX], len: 0 };
        // Writing to a line never fails; a `Display` that does leaves the line as it is.
        let _cut = fmt::write(&mut line, arguments);
        line
    }

    /// The line's UTF-8.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = text.floor_char_boundary(CONSOLE_MAX - self.len);
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(text.bytes().take(room)) {
            *to = from;
        }
        self.len += room;
        Ok(())
    }
}

/// Prints one line.
pub fn print(arguments: fmt::Arguments<'_>) {
    crate::syscall::console(Line::of(arguments).bytes());
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let long = String::from("é").repeat(CONSOLE_MAX);
        let line = Line::of(format_args!("a{long}"));
        assert_eq!(line.bytes().len(), CONSOLE_MAX - 1);
        core::str::from_utf8(line.bytes()).unwrap();
    }

    #[test]
    fn parts_follow_each_other() {
        assert_eq!(Line::of(format_args!("{}: {}", "cpus", 2)).bytes(), b"cpus: 2");
    }
}
