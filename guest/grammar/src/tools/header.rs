//! Texts that must come next, of which a part may have come.

/// How a text compares with one that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It starts with it.
    Whole,
    /// It is a part of it so far.
    Part,
    /// It is something else.
    Other,
}

/// Compares `text` with the concatenation of `expected`; gives the length of that too.
pub(super) fn meet(text: &str, expected: [&str; 2]) -> (Met, usize) {
    let length = expected[0].len() + expected[1].len();
    let all = expected[0].bytes().chain(expected[1].bytes());
    let is_same = text.bytes().zip(all).all(|(found, expected)| found == expected);
    let met = match (is_same, text.len() >= length) {
        (true, true) => Met::Whole,
        (true, false) => Met::Part,
        (false, _) => Met::Other,
    };
    (met, length)
}

/// Start of the longest end of `text` that may become `mark`.
pub(super) fn held_from(text: &str, mark: &str) -> usize {
    let starts = text.char_indices().map(|(at, _)| at);
    let mut starts = starts.skip_while(|at| text.len() - at > mark.len());
    starts.find(|&at| text.get(at..).is_some_and(|end| mark.starts_with(end))).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_become_a_mark_is_held() {
        assert_eq!(held_from("abc<to", "<tool>"), 3);
        assert_eq!(held_from("<<t", "<tool>"), 1);
        assert_eq!(held_from("abc", "<tool>"), 3);
        assert_eq!(held_from("é<", "<｜"), 2);
    }

    #[test]
    fn texts_are_met_whole_in_part_or_not() {
        assert_eq!(meet("abcd", ["a", "bc"]), (Met::Whole, 3));
        assert_eq!(meet("ab", ["a", "bc"]).0, Met::Part);
        assert_eq!(meet("", ["a", ""]).0, Met::Part);
        assert_eq!(meet("ax", ["a", "bc"]).0, Met::Other);
        assert_eq!(meet("", ["", ""]), (Met::Whole, 0));
    }
}
