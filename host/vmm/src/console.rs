//! The first serial port: lines of the guest's console.

use std::io::{Result, Write};
use std::sync::mpsc::Sender;
use vm_superio::{Serial, Trigger, serial::NoEvents};

use crate::event::Event;

/// Longest line kept.
const LINE_MAX: usize = 1024;

/// The port, by its 16550 registers.
pub(crate) type Port = Serial<NoInterrupt, NoEvents, Lines>;

/// The guest polls this port.
pub(crate) struct NoInterrupt;

impl Trigger for NoInterrupt {
    type E = core::convert::Infallible;

    fn trigger(&self) -> core::result::Result<(), Self::E> {
        Ok(())
    }
}

/// Collects bytes into lines.
pub(crate) struct Lines {
    line: Vec<u8>,
    events: Sender<Event>,
}

pub(crate) fn port(events: Sender<Event>) -> Port {
    Serial::new(NoInterrupt, Lines { line: Vec::new(), events })
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() >= LINE_MAX {
                self.end();
            }
            if byte != b'\n' && byte != b'\r' {
                self.line.push(byte);
            }
        }
        Ok(bytes.len())
    }

    /// A line ends at its newline, not when the port is flushed after each byte.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Lines {
    fn end(&mut self) {
        // Nobody listens when the process ends.
        let _ended = self.events.send(Event::Console(printable(&self.line)));
        self.line.clear();
    }
}

/// A line of the guest for people: control characters of a hostile guest must not reach a terminal.
pub(crate) fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lines_without_control_characters() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut lines = Lines { line: Vec::new(), events: sender };
        lines.write_all(b"one\r\ntw\x1bo\n").unwrap();
        assert_eq!(receiver.recv(), Ok(Event::Console("one".to_owned())));
        assert_eq!(receiver.recv(), Ok(Event::Console("tw\u{fffd}o".to_owned())));
    }
}
