//! The start-up timeline.

use core::time::Duration;
use vial_abi::Mark;

/// Stages reached, in order.
#[derive(Debug, Default)]
pub(crate) struct Timeline(Vec<(Mark, Duration)>);

impl Timeline {
    /// Adds a stage.
    pub(crate) fn add(&mut self, mark: Mark, after: Duration) {
        self.0.push((mark, after));
    }

    /// One line a stage: since the start, and since the stage before.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut before = Duration::ZERO;
        let line = |&(mark, after): &(Mark, Duration)| {
            let step = after.saturating_sub(before);
            before = after;
            format!("  {:<12} {:>8.1} ms  +{:.1}", mark.name(), ms(after), ms(step))
        };
        self.0.iter().map(line).collect()
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
