//! Pages change hands.

use alloc::vec::Vec;

use vial_tensor::Isa;

use super::{Half, KvCache, KvPlan, KvWish, PAGE_TOKENS, Part, Sequence, Sharing};
use crate::tiny;

fn cache(pages: usize, keep: usize) -> KvCache {
    let config = tiny::config();
    let wish = KvWish { streams: pages, context: PAGE_TOKENS, budget_bytes: 1 << 30 };
    let mut cache = KvCache::new(&config, KvPlan::new(&config, wish).unwrap());
    cache.keep_at_most(keep);
    cache
}

/// `count` tokens, all `token`.
fn tokens(token: u32, count: usize) -> Vec<u32> {
    alloc::vec![token; count]
}

const SCOPE: Sharing = Sharing { public_tokens: 0, scope: Some(1), is_exact: false };

const PART: Part = Part { layer: 1, half: Half::Values, kv_head: 1 };

/// Writes a mark at one position.
fn mark_slot(cache: &mut KvCache, sequence: &Sequence, position: usize, mark: f32) {
    cache.store(Isa::PORTABLE, sequence, position, PART, &[mark; 8]);
}

/// The marks of a page's tokens.
fn marks(cache: &KvCache, sequence: &Sequence, page: usize) -> Vec<f32> {
    let mut scores = [0.0; PAGE_TOKENS];
    let vectors = cache.vectors(sequence, page, 0..PAGE_TOKENS, PART);
    vectors.scores(Isa::PORTABLE, &[0.125; 8], 8, &mut scores);
    scores.into()
}

/// A sequence of `tokens`, computed and published; every page is marked with its number.
fn published(cache: &mut KvCache, tokens: &[u32], sharing: Sharing) -> Sequence {
    let mut sequence = Sequence::default();
    cache.adopt(&mut sequence, tokens, sharing);
    let known = sequence.pages();
    assert!(cache.extend(&mut sequence, tokens.len()));
    for page in known..sequence.pages() {
        let mark = f32::from(u8::try_from(page + 1).unwrap());
        mark_slot(cache, &sequence, page * PAGE_TOKENS, mark);
    }
    cache.publish(&mut sequence, tokens, sharing);
    sequence
}

/// Pages of `tokens` that a new sequence finds.
fn found(cache: &mut KvCache, tokens: &[u32], sharing: Sharing) -> usize {
    let mut sequence = Sequence::default();
    let found = cache.adopt(&mut sequence, tokens, sharing) / PAGE_TOKENS;
    cache.close(sequence);
    found
}

#[test]
fn sequences_take_pages_as_they_grow_and_give_them_back() {
    let mut cache = cache(4, 0);
    let long = cache.open(129).unwrap();
    assert_eq!((long.capacity(), cache.free_pages()), (192, 1));
    assert_eq!(cache.open(65), None);
    let mut short = cache.open(1).unwrap();
    assert!(!cache.extend(&mut short, 65) && short.pages() == 1);
    cache.close(long);
    assert_eq!(cache.free_pages(), 3);
    assert!(cache.extend(&mut short, 256));
    cache.truncate(&mut short, 1);
    assert_eq!(cache.free_pages(), 3);
    cache.close(short);
    assert_eq!(cache.free_pages(), 4);
}

#[test]
fn a_slot_is_seen_in_its_page_alone_and_wiped_on_close() {
    let mut cache = cache(2, 0);
    let sequence = cache.open(128).unwrap();
    mark_slot(&mut cache, &sequence, 65, 7.0);
    assert_eq!(marks(&cache, &sequence, 1)[..3], [0.0, 7.0, 0.0]);
    assert_eq!(cache.pages.marks(), 8);
    cache.close(sequence);
    assert_eq!(cache.pages.marks(), 0);
}

#[test]
fn whole_pages_of_the_same_prefix_are_one_while_somebody_holds_them() {
    let mut cache = cache(8, 0);
    let mut said = tokens(5, 2 * PAGE_TOKENS);
    said.extend(tokens(6, 10));
    let first = published(&mut cache, &said, SCOPE);
    said[2 * PAGE_TOKENS] = 7;
    let second = published(&mut cache, &said, SCOPE);
    assert_eq!((first.pages[..2] == second.pages[..2], cache.free_pages()), (true, 4));
    assert_eq!(marks(&cache, &second, 1)[0], 2.0);
    cache.close(first);
    assert_eq!(found(&mut cache, &said, SCOPE), 2);
    cache.close(second);
    assert_eq!((found(&mut cache, &said, SCOPE), cache.free_pages()), (0, 8));
    assert_eq!(cache.pages.marks(), 0);
}

#[test]
fn a_page_is_found_by_its_whole_prefix_its_scope_and_how_it_was_computed() {
    let mut cache = cache(8, 8);
    let said = [tokens(5, PAGE_TOKENS), tokens(6, PAGE_TOKENS)].concat();
    let sequence = published(&mut cache, &said, SCOPE);
    cache.close(sequence);
    assert_eq!(found(&mut cache, &said, SCOPE), 2);
    assert_eq!(found(&mut cache, &said[..127], SCOPE), 1);
    assert_eq!(found(&mut cache, &said[64..], SCOPE), 0, "the second page after another prefix");
    assert_eq!(found(&mut cache, &[&[9], &said[1..]].concat(), SCOPE), 0);
    assert_eq!(found(&mut cache, &said, Sharing { scope: Some(2), ..SCOPE }), 0);
    assert_eq!(found(&mut cache, &said, Sharing { scope: None, ..SCOPE }), 0);
    assert_eq!(found(&mut cache, &said, Sharing { is_exact: true, ..SCOPE }), 0);
    assert_eq!(found(&mut cache, &said, SCOPE), 2);
}

#[test]
fn what_every_client_is_given_is_shared_by_all_and_nothing_else_of_those_without_a_scope() {
    let mut cache = cache(8, 8);
    let private = Sharing { public_tokens: PAGE_TOKENS + 1, scope: None, is_exact: false };
    let sequence = published(&mut cache, &tokens(5, 3 * PAGE_TOKENS), private);
    cache.close(sequence);
    assert_eq!((cache.kept_pages(), cache.pages.marks()), (1, 8), "the first page's marks alone");
    let named = Sharing { scope: Some(3), ..private };
    assert_eq!(found(&mut cache, &tokens(5, 3 * PAGE_TOKENS), named), 1);
}

#[test]
fn kept_pages_are_bounded_given_away_oldest_first_and_wiped() {
    let mut cache = cache(6, 3);
    let (old, new) = (tokens(1, 2 * PAGE_TOKENS), tokens(2, 2 * PAGE_TOKENS));
    for said in [&old, &new] {
        let sequence = published(&mut cache, said, SCOPE);
        cache.close(sequence);
    }
    assert_eq!((cache.kept_pages(), cache.free_pages()), (3, 6));
    assert_eq!((found(&mut cache, &old, SCOPE), found(&mut cache, &new, SCOPE)), (1, 2), "leaves go first");
    let all = cache.open(6 * PAGE_TOKENS).unwrap();
    assert_eq!((cache.pages.marks(), cache.kept_pages()), (0, 0));
    cache.close(all);
    assert_eq!(found(&mut cache, &new, SCOPE), 0);
}

#[test]
fn a_forgotten_scope_leaves_nothing_and_others_keep_theirs() {
    let mut cache = cache(16, 16);
    let public = Sharing { public_tokens: PAGE_TOKENS, ..SCOPE };
    let said = |own: u32| [tokens(5, 2 * PAGE_TOKENS), tokens(own, PAGE_TOKENS)].concat();
    // A tree: two ends behind one beginning, whose first page is everybody's.
    for own in [6, 7] {
        let sequence = published(&mut cache, &said(own), public);
        cache.close(sequence);
    }
    let other = Sharing { scope: Some(2), ..SCOPE };
    let sequence = published(&mut cache, &said(6), other);
    cache.close(sequence);
    assert_eq!((cache.kept_pages(), cache.pages.marks()), (7, 7 * 8));
    cache.forget(1);
    assert_eq!((cache.kept_pages(), cache.pages.marks(), cache.free_pages()), (4, 4 * 8, 16));
    assert_eq!((found(&mut cache, &said(6), public), found(&mut cache, &said(6), other)), (1, 3));
    cache.forget(1);
    assert_eq!(cache.kept_pages(), 4);
}

#[test]
fn a_page_that_is_held_outlives_its_scope_until_it_is_let_go() {
    let mut cache = cache(4, 4);
    let said = tokens(5, 2 * PAGE_TOKENS);
    let held = published(&mut cache, &said, SCOPE);
    cache.forget(1);
    assert_eq!(marks(&cache, &held, 1)[0], 2.0);
    cache.close(held);
    assert_eq!(cache.kept_pages(), 2);
    cache.forget(1);
    assert_eq!((cache.kept_pages(), cache.pages.marks()), (0, 0));
}

#[test]
fn a_page_that_two_computed_at_once_is_held_once() {
    let mut cache = cache(8, 0);
    let said = tokens(5, 2 * PAGE_TOKENS);
    let [mut first, mut second] = [cache.open(128).unwrap(), cache.open(128).unwrap()];
    assert_eq!(cache.free_pages(), 4);
    cache.publish(&mut first, &said, SCOPE);
    cache.publish(&mut second, &said, SCOPE);
    assert_eq!((&first.pages, cache.free_pages()), (&second.pages, 6));
    cache.close(first);
    cache.close(second);
    assert_eq!(cache.free_pages(), 8);
}
