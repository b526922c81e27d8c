//! Streams in frames of one size at one interval, so that lengths and times of records tell neither how long tokens are nor when
//! they came.

use alloc::vec::Vec;

use crate::http;

/// What fills a frame. Spec: HTML, server-sent events: an empty line with nothing before it does nothing.
const FILL: u8 = b'\n';

/// How a request wants its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Bytes of events and filling in a frame.
    pub(crate) bytes: usize,
    /// From one frame to the next.
    pub(crate) interval_ns: u64,
}

/// A stream in such frames. Holds content.
#[derive(Clone, Debug)]
pub(crate) struct Paced {
    pace: Pace,
    held: Vec<u8>,
    due_ns: u64,
    is_ended: bool,
}

impl Paced {
    /// A stream whose first frame is due at once.
    pub(crate) fn new(pace: Pace, now_ns: u64) -> Self {
        Self { pace, held: Vec::new(), due_ns: now_ns, is_ended: false }
    }

    /// Takes whole events, to be sent when there is room.
    pub(crate) fn hold(&mut self, events: &[u8]) {
        self.held.extend_from_slice(events);
    }

    /// Nothing follows what is held.
    pub(crate) fn end(&mut self) {
        self.is_ended = true;
    }

    /// Whether all of it was given out.
    pub(crate) fn is_over(&self) -> bool {
        self.is_ended && self.held.is_empty()
    }

    /// When the next frame is due.
    pub(crate) fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Bytes that wait.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Bytes of the frames that take all that is held.
    pub(crate) fn framed(&self) -> u64 {
        let frames = self.held.len().div_ceil(self.pace.bytes) as u64;
        frames * http::chunk(&alloc::vec![0; self.pace.bytes]).len() as u64
    }

    /// The next frame as a chunk, where one is due. Frames that were missed are not made up for: a burst would tell.
    pub(crate) fn frame(&mut self, now_ns: u64) -> Option<Vec<u8>> {
        if now_ns < self.due_ns || self.is_over() {
            return None;
        }
        let missed = (now_ns - self.due_ns) / self.pace.interval_ns;
        self.due_ns += (missed + 1) * self.pace.interval_ns;
        let taken = self.held.len().min(self.pace.bytes);
        let mut frame: Vec<u8> = self.held.drain(..taken).collect();
        // What is held ends with an event, so that filling stands between events.
        frame.resize(self.pace.bytes, FILL);
        Some(http::chunk(&frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    const PACE: Pace = Pace { bytes: 64, interval_ns: 10 };

    #[test]
    fn frames_have_one_size_at_one_interval_whatever_is_said_and_hold_all_of_it() {
        let mut paced = Paced::new(PACE, 100);
        let mut frames = Vec::new();
        let event = |text: &str| alloc::format!("data: {text}\n\n");
        let events = [event("a"), event(&"x".repeat(150)), event("b")];
        for now in 100..200 {
            match now {
                105 => paced.hold(events[0].as_bytes()),
                120 => paced.hold(events[1].as_bytes()),
                121 => paced.hold(events[2].as_bytes()),
                190 => paced.end(),
                _ => {}
            }
            frames.extend(paced.frame(now).map(|frame| (now, frame)));
        }
        let times: Vec<_> = frames.iter().map(|(now, _)| *now).collect();
        assert_eq!(times, [100, 110, 120, 130, 140, 150, 160, 170, 180]);
        assert!(frames.iter().all(|(_, frame)| frame.len() == http::chunk(&[0; 64]).len()));
        let text = |frame: &[u8]| String::from_utf8(frame[4..frame.len() - 2].to_vec()).unwrap();
        let all: String = frames.iter().map(|(_, frame)| text(frame)).collect();
        let said: String = all
            .split("\n\n")
            .filter(|event| !event.trim().is_empty())
            .map(|event| event.trim_start_matches('\n'))
            .collect();
        assert_eq!(said, events.concat().replace("\n\n", ""));
    }

    #[test]
    fn frames_that_were_missed_are_not_made_up_for() {
        let mut paced = Paced::new(PACE, 0);
        paced.hold(&[b'x'; 130]);
        assert_eq!(paced.framed(), 3 * http::chunk(&[0; 64]).len() as u64);
        assert!(paced.frame(0).is_some() && paced.frame(9).is_none());
        assert!(paced.frame(35).is_some() && paced.frame(39).is_none());
        assert_eq!((paced.due_ns(), paced.held()), (40, 2));
        paced.end();
        assert!(!paced.is_over() && paced.frame(40).is_some() && paced.is_over());
    }
}
