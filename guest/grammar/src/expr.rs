//! What a rule allows, as its sources say it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The last code point.
pub(crate) const LAST_CHAR: u32 = 0x0010_FFFF;

/// Texts, in the terms that grammars, schemas and patterns share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    /// Exactly these bytes.
    Text(Vec<u8>),
    /// Any one byte of a set.
    Byte(ByteSet),
    /// Any one character of a set, as UTF-8.
    Char(CharSet),
    /// What a rule allows.
    Rule(u32),
    /// All of them, one after the other.
    Seq(Vec<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// So many times, from the least to the most; without a most, any number.
    Repeat(Box<Self>, u32, Option<u32>),
}

impl Expr {
    /// Exactly this text.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }

    /// Nothing at all.
    pub(crate) const fn empty() -> Self {
        Self::Seq(Vec::new())
    }

    /// This, or nothing.
    pub(crate) fn optional(self) -> Self {
        self.times(0, Some(1))
    }

    /// This, repeated.
    pub(crate) fn times(self, min: u32, max: Option<u32>) -> Self {
        Self::Repeat(Box::new(self), min, max)
    }

    /// Any of the characters between, both ends included.
    pub(crate) fn chars(ranges: &[(char, char)]) -> Self {
        Self::Char(CharSet::new(ranges.iter().map(|&(from, to)| (from.into(), to.into())).collect()))
    }

    /// Any one of these texts; common beginnings are shared, so that thousands of them stay one state.
    pub(crate) fn one_of(texts: &[Vec<u8>]) -> Self {
        let mut texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        texts.sort_unstable();
        texts.dedup();
        shared(&texts, 0)
    }
}

/// Levels at which beginnings are shared.
const MAX_SHARED: usize = 24;

/// Sorted texts without doubles, with the longest beginning that all share in front; below that, by their next byte.
fn shared(texts: &[&[u8]], depth: usize) -> Expr {
    if depth > MAX_SHARED {
        return Expr::Any(texts.iter().map(|text| Expr::Text(text.to_vec())).collect());
    }
    let (Some(first), Some(last)) = (texts.first(), texts.last()) else { return Expr::Any(Vec::new()) };
    let common = first.iter().zip(last.iter()).take_while(|(one, other)| one == other).count();
    let head = Expr::Text(first.get(..common).unwrap_or_default().to_vec());
    let tails = texts.iter().map(|text| text.get(common..).unwrap_or_default());
    let mut by_byte: BTreeMap<u8, Vec<&[u8]>> = BTreeMap::new();
    let mut choices = Vec::new();
    for tail in tails {
        match tail.first() {
            Some(&byte) => by_byte.entry(byte).or_default().push(tail),
            None => choices.push(Expr::empty()),
        }
    }
    choices.extend(by_byte.values().map(|group| match group.as_slice() {
        [only] => Expr::Text(only.to_vec()),
        several => shared(several, depth + 1),
    }));
    match choices.pop() {
        Some(only) if choices.is_empty() => Expr::Seq(vec![head, only]),
        Some(last) => {
            choices.push(last);
            Expr::Seq(vec![head, Expr::Any(choices)])
        }
        None => head,
    }
}

/// Rules by number; the first name is where a text starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) names: Vec<String>,
    pub(crate) bodies: Vec<Expr>,
    /// The rule that a whole text follows.
    pub(crate) root: u32,
}

impl Rules {
    /// A new rule without a body; [`Self::set`] gives it one.
    pub(crate) fn reserve(&mut self, name: String) -> u32 {
        self.names.push(name);
        self.bodies.push(Expr::Any(Vec::new()));
        number(self.bodies.len() - 1)
    }

    /// Gives a rule its body.
    pub(crate) fn set(&mut self, rule: u32, body: Expr) {
        if let Some(slot) = self.bodies.get_mut(rule as usize) {
            *slot = body;
        }
    }

    /// A new rule.
    pub(crate) fn add(&mut self, name: String, body: Expr) -> u32 {
        let rule = self.reserve(name);
        self.set(rule, body);
        rule
    }
}

/// An index as it is kept; every table is bounded far below its end.
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    /// From `first` to `last`, both included.
    pub(crate) fn range(first: u8, last: u8) -> Self {
        let mut set = Self::default();
        (first..=last).for_each(|byte| set.insert(byte));
        set
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every byte that is not in it.
    pub(crate) fn complement(&self) -> Self {
        Self(self.0.map(|word| !word))
    }
}

/// A set of characters: ranges of code points, sorted, apart from each other, without surrogates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CharSet(Vec<(u32, u32)>);

impl CharSet {
    /// The union of ranges, each with both ends; what is no character is left out.
    pub(crate) fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (from, to) in ranges.into_iter().filter(|(from, to)| from <= to) {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged.into_iter().flat_map(without_surrogates).collect())
    }

    /// Every character that is not in it.
    pub(crate) fn complement(&self) -> Self {
        let mut ranges = Vec::new();
        let mut from = 0;
        for &(first, last) in &self.0 {
            if from < first {
                ranges.push((from, first - 1));
            }
            from = last + 1;
        }
        ranges.push((from, LAST_CHAR));
        Self::new(ranges)
    }

    /// Characters of both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut union = self.complement().0;
        union.extend(other.complement().0);
        Self::new(union).complement()
    }

    /// Whether a code point is in it.
    pub(crate) fn has(&self, point: u32) -> bool {
        self.0.iter().any(|&(from, to)| from <= point && point <= to)
    }

    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }
}

fn without_surrogates((from, to): (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
    let parts = [(from, to.min(0xD7FF)), (from.max(0xE000), to.min(LAST_CHAR))];
    parts.into_iter().filter(|(from, to)| from <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_characters_are_kept_sorted_and_without_surrogates() {
        let set = CharSet::new(vec![(5, 9), (1, 3), (4, 6), (0xD000, 0xF000)]);
        assert_eq!(set.ranges(), [(1, 9), (0xD000, 0xD7FF), (0xE000, 0xF000)]);
        assert_eq!(set.complement().complement(), set);
        assert!(!set.complement().has(5) && set.complement().has(LAST_CHAR));
        assert_eq!(set.intersection(&CharSet::new(vec![(8, 20)])).ranges(), [(8, 9)]);
        assert_eq!(CharSet::new(vec![]).complement().complement().ranges(), []);
    }

    #[test]
    fn texts_share_their_beginnings() {
        let texts = ["abc", "abd", "ab", "x"].map(|text| text.as_bytes().to_vec());
        let Expr::Seq(parts) = Expr::one_of(&texts) else { panic!("expected a sequence") };
        let Some(Expr::Any(choices)) = parts.get(1) else { panic!("expected choices") };
        assert_eq!(choices.len(), 2);
    }
}
