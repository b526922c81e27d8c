//! Token bytes into text that can be sent: never half a character, never part of a stop string.

use alloc::string::String;
use alloc::vec::Vec;

/// Text of one answer as it comes into being.
///
/// Invariant: what has been handed out is whole characters, and no byte of it belongs to a stop string.
#[derive(Clone, Debug)]
pub(super) struct TextStream {
    pending: Vec<u8>,
    stops: Vec<Vec<u8>>,
}

/// What a push made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) text: String,
    /// A stop string was met; `text` is the last there is.
    pub(super) is_stopped: bool,
}

impl TextStream {
    pub(super) fn new(stops: &[String]) -> Self {
        Self { pending: Vec::new(), stops: stops.iter().map(|stop| stop.clone().into_bytes()).collect() }
    }

    /// Takes a token's bytes; gives what can be sent.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Ready {
        self.pending.extend_from_slice(bytes);
        if let Some(at) = self.first_stop() {
            let text = lossy(&self.pending[..at]);
            self.pending.clear();
            return Ready { text, is_stopped: true };
        }
        let sendable = whole_characters(&self.pending[..self.held_from()]);
        let text = lossy(&self.pending[..sendable]);
        self.pending.drain(..sendable);
        Ready { text, is_stopped: false }
    }

    /// What is left when no more tokens come; a character cut short becomes U+FFFD.
    pub(super) fn finish(&mut self) -> String {
        let text = lossy(&self.pending);
        self.pending.clear();
        text
    }

    fn first_stop(&self) -> Option<usize> {
        let found = |stop: &Vec<u8>| self.pending.windows(stop.len()).position(|window| window == stop);
        self.stops.iter().filter_map(found).min()
    }

    /// Start of the longest tail that may yet become a stop string.
    fn held_from(&self) -> usize {
        let may_grow = |tail: &[u8]| self.stops.iter().any(|stop| stop.starts_with(tail));
        let length = self.pending.len();
        (0..length).find(|&start| may_grow(&self.pending[start..])).unwrap_or(length)
    }
}

/// Length of the longest prefix that does not end inside a character.
fn whole_characters(bytes: &[u8]) -> usize {
    let mut checked = 0;
    while let Err(error) = core::str::from_utf8(&bytes[checked..]) {
        match error.error_len() {
            None => return checked + error.valid_up_to(),
            Some(invalid) => checked += error.valid_up_to() + invalid,
        }
    }
    bytes.len()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn stream(stops: &[&str]) -> TextStream {
        TextStream::new(&stops.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn texts(stream: &mut TextStream, pieces: &[&[u8]]) -> Vec<String> {
        pieces.iter().map(|piece| stream.push(piece).text).collect()
    }

    #[test]
    fn a_character_is_sent_whole() {
        let mut stream = stream(&[]);
        let face = "😀".as_bytes();
        assert_eq!(texts(&mut stream, &[b"a", &face[..1], &face[1..3], &face[3..]]), ["a", "", "", "😀"]);
        assert_eq!(texts(&mut stream, &[&[b'x', 0xff, b'y'], &face[..2]]), ["x\u{fffd}y", ""]);
        assert_eq!(stream.finish(), "\u{fffd}");
    }

    #[test]
    fn a_stop_string_across_tokens_is_never_sent() {
        let mut stream = stream(&["END", "\n\n"]);
        assert_eq!(texts(&mut stream, &[b"one E", b"N", b"X two", b"\n"]), ["one ", "", "ENX two", ""]);
        let last = stream.push(b"three EN");
        assert_eq!(last, Ready { text: "\nthree ".into(), is_stopped: false });
        assert_eq!(stream.push(b"DING"), Ready { text: String::new(), is_stopped: true });
    }

    #[test]
    fn the_first_of_several_stops_wins_and_a_held_tail_is_given_at_the_end() {
        let mut both = stream(&["cd", "b"]);
        assert_eq!(both.push(b"abcd"), Ready { text: "a".into(), is_stopped: true });
        let mut held = stream(&["abc"]);
        assert_eq!(held.push(b"xab").text, "x");
        assert_eq!(held.finish(), "ab");
    }

    #[test]
    fn overlapping_starts_are_held_from_the_first() {
        let mut stream = stream(&["aab"]);
        assert_eq!(texts(&mut stream, &[b"a", b"a", b"a", b"c"]), ["", "", "a", "aac"]);
        assert_eq!(vec![stream.finish()], [""]);
    }
}
