//! What passes over weights that are streamed did, a line now and then.

use alloc::format;
use alloc::string::String;
use vial_net::{Status, Times};

/// Longest time between two lines while requests are answered.
const INTERVAL_NS: u64 = 10_000_000_000;

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passes: u64,
    rows: u64,
    bytes: u64,
    leaves: u64,
    times: Times,
}

/// When a line is due, and what was told by the last.
#[derive(Debug, Default)]
pub(super) struct Rates {
    told: Counts,
    at_ns: u64,
}

impl Rates {
    /// The line, if one is due: all requests are answered, or ten seconds went by since the last.
    pub(super) fn line(&mut self, status: &Status, now_ns: u64) -> Option<String> {
        let now = Counts::of(status);
        if now.passes == self.told.passes {
            self.at_ns = now_ns;
            return None;
        }
        let is_answered = status.streams + status.waiting == 0;
        let is_due = is_answered || now_ns.saturating_sub(self.at_ns) >= INTERVAL_NS;
        is_due.then(|| {
            let line = now.since(&self.told).line();
            *self = Self { told: now, at_ns: now_ns };
            line
        })
    }
}

impl Counts {
    fn of(status: &Status) -> Self {
        let Status { passes, rows, checked_bytes: bytes, checked_leaves: leaves, times, .. } = *status;
        Self { passes, rows, bytes, leaves, times }
    }

    fn since(&self, before: &Self) -> Self {
        let (now, then) = (self.times, before.times);
        Self {
            passes: self.passes - before.passes,
            rows: self.rows - before.rows,
            bytes: self.bytes - before.bytes,
            leaves: self.leaves - before.leaves,
            times: Times {
                all_ns: now.all_ns - then.all_ns,
                disk_ns: now.disk_ns - then.disk_ns,
                check_ns: now.check_ns - then.check_ns,
            },
        }
    }

    /// In whole numbers: tenths of tokens a pass, MB a second, percent of the time.
    fn line(&self) -> String {
        let Self { passes, rows, bytes, leaves, times } = self;
        let Times { all_ns, disk_ns, check_ns } = *times;
        let all_ns = all_ns.max(1);
        let percent = |ns: u64| ns.saturating_mul(100) / all_ns;
        let compute_ns = all_ns.saturating_sub(disk_ns + check_ns);
        let tenths = rows * 10 / passes.max(&1);
        let rate = u128::from(*bytes) * 1000 / u128::from(all_ns);
        format!(
            "passes: {passes} of {}.{} tokens; {rate} MB a second, {leaves} leaves checked; disk {} %, check {} %, compute {} %",
            tenths / 10,
            tenths % 10,
            percent(disk_ns),
            percent(check_ns),
            percent(compute_ns)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn status(passes: u64, streams: usize) -> Status {
        let times = Times {
            all_ns: passes * SECOND / 2,
            disk_ns: passes * SECOND / 4,
            check_ns: passes * SECOND / 8,
        };
        let (rows, checked_bytes, checked_leaves) = (passes * 5 / 2, passes * 600_000_000, passes * 4);
        Status { passes, rows, streams, times, checked_bytes, checked_leaves, ..Status::default() }
    }

    #[test]
    fn a_line_is_told_when_all_is_answered_and_every_ten_seconds_until_then() {
        let mut rates = Rates::default();
        assert_eq!(rates.line(&status(0, 0), SECOND), None);
        assert_eq!(rates.line(&status(2, 1), 2 * SECOND), None);
        let line = rates.line(&status(4, 1), 11 * SECOND).unwrap();
        assert_eq!(
            line,
            "passes: 4 of 2.5 tokens; 1200 MB a second, 16 leaves checked; disk 50 %, check 25 %, compute 25 %"
        );
        assert_eq!(rates.line(&status(6, 1), 12 * SECOND), None);
        assert!(rates.line(&status(8, 0), 13 * SECOND).unwrap().starts_with("passes: 4 of 2.5 tokens"));
        assert_eq!(rates.line(&status(8, 0), 99 * SECOND), None);
    }
}
