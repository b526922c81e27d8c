//! Serial lines out, exit and marks. Spec: National Semiconductor PC16550D data sheet §8.

use crate::platform::Ports;
use vial_abi::port;

const DATA: u16 = 0;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const LINE_STATUS: u16 = 5;
/// Enable and clear both queues.
const FIFO_ON: u8 = 0b0111;
/// Eight bits, no parity, one stop bit.
const EIGHT_BITS: u8 = 0b0011;
const DATA_READY: u8 = 1;
const SENT: u8 = 1 << 5;
/// Bytes the transmit queue takes once it is empty.
const QUEUE_BYTES: usize = 16;
/// Status reads before a stuck line is given up; a byte takes far less on any host.
const PATIENCE: u32 = 1 << 20;

/// One serial line at its base port.
#[derive(Debug)]
pub struct Serial<'a, P> {
    ports: &'a mut P,
    base: u16,
}

impl<'a, P: Ports> Serial<'a, P> {
    /// The line at `base`, as an earlier [`Self::set_up`] left it.
    pub const fn new(ports: &'a mut P, base: u16) -> Self {
        Self { ports, base }
    }

    /// Sets the line up.
    pub fn set_up(&mut self) {
        self.ports.write_u8(self.base + FIFO_CONTROL, FIFO_ON);
        self.ports.write_u8(self.base + LINE_CONTROL, EIGHT_BITS);
    }

    /// Sends bytes, one status read a queue.
    pub fn send(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(QUEUE_BYTES) {
            self.await_status(SENT);
            for &byte in chunk {
                self.ports.write_u8(self.base + DATA, byte);
            }
        }
    }

    /// Receives one byte; none if the line stays silent. From the host: untrusted.
    pub fn receive(&mut self) -> Option<u8> {
        self.await_status(DATA_READY).then(|| self.ports.read_u8(self.base + DATA))
    }

    fn await_status(&mut self, bit: u8) -> bool {
        (0..PATIENCE).any(|_| self.ports.read_u8(self.base + LINE_STATUS) & bit != 0)
    }
}

impl<P: Ports> core::fmt::Write for Serial<'_, P> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.send(text.as_bytes());
        Ok(())
    }
}

/// Prints one line; bytes that would move the terminal's cursor are shown as dots.
pub fn console_line(ports: &mut impl Ports, text: &[u8]) {
    let mut serial = Serial::new(ports, port::SERIAL);
    for chunk in text.chunks(QUEUE_BYTES) {
        let mut shown = [0; QUEUE_BYTES];
        for (to, &byte) in shown.iter_mut().zip(chunk) {
            *to = if byte < b' ' || byte == 0x7F { b'.' } else { byte };
        }
        serial.send(shown.get(..chunk.len()).unwrap_or_default());
    }
    serial.send(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeMachine;

    #[test]
    fn a_line_cannot_move_the_cursor() {
        let mut machine = FakeMachine::default();
        console_line(&mut machine, "naïve\x1b[2J\nlonger than one queue".as_bytes());
        assert_eq!(machine.sent(port::SERIAL), "naïve.[2J.longer than one queue\r\n".as_bytes());
    }

    #[test]
    fn a_silent_line_gives_no_byte() {
        let mut machine = FakeMachine::default();
        assert_eq!(Serial::new(&mut machine, port::SERIAL_TEE).receive(), None);
        machine.receive_on(port::SERIAL_TEE, b"x");
        assert_eq!(Serial::new(&mut machine, port::SERIAL_TEE).receive(), Some(b'x'));
    }
}
