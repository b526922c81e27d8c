//! What passes cost by their width, and the two decisions that hang on it: how many rows of prompts run beside decoding
//! streams, and how many drafted tokens are worth a row.
//!
//! The caller tells how long passes took ([`Pace::note`]); without that, fixed counts are used.

/// Rows of prompts beside decoding streams while nothing is known.
const PREFILL_UNKNOWN: usize = 32;
/// Fewest rows of prompts beside decoding streams, so that prompts go on whatever they cost.
const PREFILL_LEAST: usize = 8;
/// How much longer than a pass that only decodes a pass beside prompts may take. The promise is three; single passes may be
/// slower by half than what was known of them.
const SLOWER_AT_MOST: f32 = 2.0;
/// What a draft's expected gain must be of its cost: estimates err, and no draft loses nothing.
pub(super) const MARGIN: f32 = 1.15;
/// Widths up to this one have a class each; then classes double.
const SINGLE: usize = 8;
const CLASSES: usize = 20;
/// Part of the estimate that one pass replaces.
const LEARN: f32 = 0.25;
/// Passes after which an estimate counts no longer: one slow moment must not rule out a width for ever.
const STALE: u64 = 128;

/// What a pass of some width costs.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    ns: f32,
    /// The pass that last told.
    pass: u64,
}

/// Measured costs.
#[derive(Debug, Default)]
pub(super) struct Pace {
    costs: [Option<Cost>; CLASSES],
    passes: u64,
}

impl Pace {
    /// Takes note of a pass.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn note(&mut self, rows: usize, ns: u64) {
        self.passes += 1;
        let (ns, pass) = (ns as f32, self.passes);
        let slot = &mut self.costs[class(rows)];
        let ns = match slot.filter(|cost| pass - cost.pass < STALE) {
            // One pass that was held up counts for little, one that was fast for what it is.
            Some(cost) => cost.ns + LEARN * (ns.min(2.0 * cost.ns) - cost.ns),
            None => ns,
        };
        *slot = Some(Cost { ns, pass });
    }

    /// Whether anybody told how long passes take.
    pub(super) fn has_clock(&self) -> bool {
        self.passes > 0
    }

    /// What a pass of `rows` took lately, in ns.
    pub(super) fn known(&self, rows: usize) -> Option<f32> {
        self.cost(class(rows))
    }

    /// What a pass of `rows` may take, in ns: between what narrower and wider ones took, or as much as the next that is known:
    /// rows are tried before they are thought dear.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    pub(super) fn estimate(&self, rows: usize) -> Option<f32> {
        let class = class(rows);
        let known = |class: usize| Some((widest_of(class) as f32, self.cost(class)?));
        let (below, above) = ((0..=class).rev().find_map(known), (class..CLASSES).find_map(known));
        let Some(((narrow, less), (wide, more))) = below.zip(above) else {
            return below.or(above).map(|(_, ns)| ns);
        };
        let part = if wide > narrow { (widest_of(class) as f32 - narrow) / (wide - narrow) } else { 0.0 };
        Some(less + part * (more - less))
    }

    fn cost(&self, class: usize) -> Option<f32> {
        let cost = self.costs[class].filter(|cost| self.passes - cost.pass < STALE)?;
        Some(cost.ns)
    }

    /// Rows of prompts beside `decoding` rows.
    pub(super) fn prefill_rows(&self, decoding: usize) -> usize {
        let Some(alone) = self.cost(class(decoding)) else { return PREFILL_UNKNOWN };
        let most = SLOWER_AT_MOST * alone;
        let mut widest = 0;
        let mut known = (class(decoding), alone);
        for next in known.0 + 1..CLASSES {
            // A pass twice as wide takes at most twice as long; one that is not known yet is tried under that law.
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            let guess = || known.1 * widest_of(next) as f32 / widest_of(known.0) as f32;
            let cost = self.cost(next).unwrap_or_else(guess);
            if cost <= most {
                widest = widest_of(next);
            }
            if let Some(cost) = self.cost(next) {
                known = (next, cost);
            }
        }
        widest.saturating_sub(decoding).max(PREFILL_LEAST)
    }

    /// Whether one more row pays in a pass of `rows` that gives `tokens`, where the row gives a token with probability
    /// `right`: its part of the tokens must be more than its part of the time.
    pub(super) fn pays(&self, rows: usize, tokens: f32, right: f32) -> bool {
        let (Some(now), Some(next)) = (self.cost(class(rows)), self.cost(class(rows + 1))) else {
            return right > 0.5;
        };
        right * now > MARGIN * tokens * (next - now)
    }
}

/// Class of a width.
fn class(rows: usize) -> usize {
    let rows = rows.max(1);
    let wide = || SINGLE + (rows - 1).ilog2() as usize - SINGLE.ilog2() as usize;
    if rows <= SINGLE { rows - 1 } else { wide().min(CLASSES - 1) }
}

/// Most rows of a class.
fn widest_of(class: usize) -> usize {
    if class < SINGLE { class + 1 } else { SINGLE << (class - SINGLE + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes that take `base` plus `row` for each row.
    fn pace(base: u64, row: u64) -> Pace {
        let mut pace = Pace::default();
        for rows in (1..=SINGLE).chain([16, 32, 64, 128]) {
            pace.note(rows, base + row * rows as u64);
        }
        pace
    }

    #[test]
    fn every_width_has_its_class() {
        for rows in 1..=4096 {
            let class = class(rows);
            assert!(rows <= widest_of(class) && (class == 0 || rows > widest_of(class - 1)), "{rows}");
        }
    }

    #[test]
    fn prompts_get_the_rows_that_keep_the_pace() {
        assert_eq!(Pace::default().prefill_rows(4), PREFILL_UNKNOWN);
        // Rows are free: all that is known, and one class more.
        assert_eq!(pace(1000, 0).prefill_rows(8), 248);
        // 8 rows take 280, 32 take 520, 64 take 840.
        assert_eq!(pace(200, 10).prefill_rows(8), 24);
        // 8 rows take 180, 16 take 260, 32 take 420.
        assert_eq!(pace(100, 10).prefill_rows(8), 8);
        // 8 rows take 80 and 16 twice that.
        assert_eq!(pace(0, 10).prefill_rows(8), 8);
    }

    #[test]
    fn a_width_not_seen_yet_is_tried_only_where_twice_the_time_is_allowed() {
        let mut pace = Pace::default();
        pace.note(8, 100);
        assert_eq!(pace.prefill_rows(8), 8);
        pace.note(16, 120);
        assert_eq!(pace.prefill_rows(8), 8, "32 rows may take 240");
        let mut pace = Pace::default();
        [8, 16].iter().for_each(|rows| pace.note(*rows, 100));
        assert_eq!(pace.prefill_rows(8), 24);
        pace.note(32, 200);
        assert_eq!(pace.prefill_rows(8), 24);
    }

    #[test]
    fn a_draft_pays_where_it_gives_more_than_it_takes() {
        let memory_bound = pace(100, 1);
        assert!(memory_bound.pays(1, 1.0, 0.1) && !memory_bound.pays(1, 1.0, 0.01));
        let compute_bound = pace(0, 10);
        assert!(!compute_bound.pays(1, 1.0, 0.99));
        assert!(compute_bound.pays(4, 3.0, 0.99), "rows before it were worse");
        assert!(Pace::default().pays(1, 1.0, 0.6) && !Pace::default().pays(1, 1.0, 0.4));
    }

    #[test]
    fn a_width_between_known_ones_is_estimated_between_them() {
        let mut pace = Pace::default();
        assert_eq!((pace.estimate(4), pace.has_clock()), (None, false));
        pace.note(1, 100);
        assert_eq!((pace.estimate(4), pace.known(4)), (Some(100.0), None));
        pace.note(7, 160);
        assert_eq!([1, 4, 7, 20].map(|rows| pace.estimate(rows).unwrap()), [100.0, 130.0, 160.0, 160.0]);
    }

    #[test]
    fn one_slow_pass_changes_little_and_old_ones_are_forgotten() {
        let mut pace = pace(100, 1);
        pace.note(2, 100_000);
        assert!(pace.pays(1, 1.0, 0.4));
        (0..STALE).for_each(|_| pace.note(1, 101));
        assert_eq!(pace.cost(class(2)), None);
    }
}
