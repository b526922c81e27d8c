//! Decimal numbers within bounds.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::expr::{Expr, number};
use crate::value::digits;

/// Most digits of a fraction that stands within bounds.
const FRACTION: u32 = 6;

/// Natural numbers from one to another, both included, without leading zeros.
pub(crate) fn between(from: u128, to: u128) -> Expr {
    let mut choices = Vec::new();
    let mut first = from;
    while first <= to {
        // All numbers of one length.
        let nines = format!("{first}").bytes().map(|_| '9').collect::<String>();
        let last = nines.parse().unwrap_or(u128::MAX).min(to);
        choices.push(same_length(&digits_of(first), &digits_of(last)));
        let Some(next) = last.checked_add(1) else { break };
        first = next;
    }
    Expr::Any(choices)
}

/// Numbers of as many digits as both bounds have; as deep as they have digits.
fn same_length(from: &[u8], to: &[u8]) -> Expr {
    let (Some((&low, low_rest)), Some((&high, high_rest))) = (from.split_first(), to.split_first()) else {
        return Expr::empty();
    };
    let count = number(low_rest.len());
    let any = |low: u8, high: u8| {
        Expr::Seq(vec![Expr::chars(&[(char::from(low), char::from(high))]), digits(count, count)])
    };
    let head = |digit: u8, rest: Expr| Expr::Seq(vec![Expr::Text(vec![digit]), rest]);
    if low == high {
        return head(low, same_length(low_rest, high_rest));
    }
    let (nines, zeros) = (vec![b'9'; low_rest.len()], vec![b'0'; low_rest.len()]);
    let (is_low_whole, is_high_whole) = (low_rest == zeros, high_rest == nines);
    let (first, last) = (low + u8::from(!is_low_whole), high - u8::from(!is_high_whole));
    let mut choices = Vec::new();
    if !is_low_whole {
        choices.push(head(low, same_length(low_rest, &nines)));
    }
    if first <= last {
        choices.push(any(first, last));
    }
    if !is_high_whole {
        choices.push(head(high, same_length(&zeros, high_rest)));
    }
    Expr::Any(choices)
}

fn digits_of(value: u128) -> Vec<u8> {
    format!("{value}").into_bytes()
}

/// A point and digits.
pub(crate) fn fraction() -> Expr {
    Expr::Seq(vec![Expr::text("."), digits(1, FRACTION)])
}

/// A point and digits that are not all zeros.
pub(crate) fn positive_fraction() -> Expr {
    let with_zeros = |zeros: u32| {
        let first = Expr::chars(&[('1', '9')]);
        Expr::Seq(vec![Expr::text("0").times(zeros, Some(zeros)), first, digits(0, FRACTION - 1 - zeros)])
    };
    Expr::Seq(vec![Expr::text("."), Expr::Any((0..FRACTION).map(with_zeros).collect())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Rules;
    use crate::grammar::Grammar;
    use crate::tests::accepts;

    fn grammar(body: Expr) -> Grammar {
        let mut rules = Rules::default();
        rules.root = rules.add("root".into(), body);
        Grammar::compile(&rules).unwrap()
    }

    #[test]
    fn a_range_allows_its_numbers_and_no_others() {
        for (from, to) in [(0, 0), (0, 9), (5, 5), (7, 123), (10, 99), (99, 1001), (305, 2047), (1000, 1999)]
        {
            let grammar = grammar(between(from, to));
            for value in 0..2200 {
                assert_eq!(
                    accepts(&grammar, &format!("{value}")),
                    (from..=to).contains(&value),
                    "{from} {to} {value}"
                );
            }
            assert!(!accepts(&grammar, "007") && !accepts(&grammar, ""));
        }
    }

    #[test]
    fn a_fraction_is_not_empty_and_a_positive_one_not_zero() {
        let (any, positive) = (grammar(fraction()), grammar(positive_fraction()));
        for (text, is_any, is_positive) in [
            (".0", true, false),
            (".5", true, true),
            (".000001", true, true),
            (".0000001", false, false),
            (".", false, false),
            (".000000", true, false),
            (".10", true, true),
        ] {
            assert_eq!((accepts(&any, text), accepts(&positive, text)), (is_any, is_positive), "{text}");
        }
    }
}
