//! Joining tokens by rank: the lowest rank first, the leftmost of equals.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use hashbrown::HashMap;

use super::{TokenizerError, alphabet};

/// Which neighbours join, at which rank, into which token.
#[derive(Clone, Debug)]
pub(super) struct Merges {
    ranks: HashMap<(u32, u32), (u32, u32)>,
}

/// No neighbour.
const NONE: usize = usize::MAX;

/// A token of the piece, with its neighbours.
#[derive(Clone, Copy)]
struct Link {
    token: u32,
    before: usize,
    after: usize,
}

/// A join that may be done: rank, place, and the two tokens that must still stand there.
type Join = Reverse<(u32, usize, u32, u32)>;

impl Merges {
    /// Reads the lines `left right`.
    pub(super) fn new(lines: &[&str], ids: &HashMap<&[u8], u32>) -> Result<Self, TokenizerError> {
        let mut ranks = HashMap::with_capacity(lines.len());
        for (at, line) in lines.iter().enumerate() {
            let join = join(line, ids).ok_or(TokenizerError::Merge { at })?;
            let rank = u32::try_from(at).map_err(|_| TokenizerError::Merge { at })?;
            ranks.entry((join.0, join.1)).or_insert((rank, join.2));
        }
        Ok(Self { ranks })
    }

    /// Joins the tokens of one piece and appends what is left.
    pub(super) fn apply(&self, tokens: impl Iterator<Item = u32>, out: &mut Vec<u32>) {
        let mut links: Vec<Link> = tokens
            .enumerate()
            .map(|(at, token)| Link { token, before: at.wrapping_sub(1), after: at + 1 })
            .collect();
        if let Some(last) = links.last_mut() {
            last.after = NONE;
        }
        let mut joins: BinaryHeap<Join> =
            (1..links.len()).filter_map(|at| self.join_at(&links, at - 1)).collect();
        while let Some(Reverse((_, at, left, right))) = joins.pop() {
            if is_there(&links, at, left, right) {
                self.do_join(&mut links, at, &mut joins);
            }
        }
        let mut at = if links.is_empty() { NONE } else { 0 };
        while let Some(link) = links.get(at) {
            out.push(link.token);
            at = link.after;
        }
    }

    fn do_join(&self, links: &mut [Link], at: usize, joins: &mut BinaryHeap<Join>) {
        let gone = links[at].after;
        let (left, right) = (links[at].token, links[gone].token);
        let Some(&(_, token)) = self.ranks.get(&(left, right)) else { return };
        let after = links[gone].after;
        links[at] = Link { token, after, ..links[at] };
        // A joined token is never a left neighbour again.
        links[gone].after = NONE;
        links[gone].before = NONE;
        links[gone].token = u32::MAX;
        if let Some(next) = links.get_mut(after) {
            next.before = at;
        }
        joins.extend(self.join_at(links, at));
        joins.extend(self.join_at(links, links[at].before));
    }

    fn join_at(&self, links: &[Link], at: usize) -> Option<Join> {
        let left = links.get(at)?;
        let right = links.get(left.after)?;
        let &(rank, _) = self.ranks.get(&(left.token, right.token))?;
        Some(Reverse((rank, at, left.token, right.token)))
    }
}

fn is_there(links: &[Link], at: usize, left: u32, right: u32) -> bool {
    let found = links.get(at).filter(|link| link.token == left).and_then(|link| links.get(link.after));
    found.is_some_and(|link| link.token == right)
}

/// Tokens of a line and what they join into. The separator is the first space that leaves something on its left.
fn join(line: &str, ids: &HashMap<&[u8], u32>) -> Option<(u32, u32, u32)> {
    let (left, right) = line.split_once(' ')?;
    let [left, right] = [left, right].map(alphabet::bytes);
    let id = |piece: &[u8]| ids.get(piece).copied();
    Some((id(&left)?, id(&right)?, id(&[left.as_slice(), &right].concat())?))
}
