//! Streams of experts, which are known only when they are wanted.

use super::*;
use crate::streamed::Hits;
use vial_model::transformer::ExpertStacks;

/// Bytes of an expert's three matrices.
const EACH: [u64; 3] = [40_000, 40_000, 50_000];
const EXPERTS: u64 = 4;
const ALL: u64 = 40_000 + 40_000 + 50_000;

/// One layer: what every pass requires lies before and behind its experts.
fn order() -> Vec<Range<u64>> {
    vec![5..LEAF + 9, 8 * LEAF + 77..FILE - 3]
}

fn stacks() -> ExpertStacks {
    let mut start = 2 * LEAF + 11;
    let stacks = EACH.map(|each| {
        let stack = start..start + EXPERTS * each;
        start = stack.end;
        stack
    });
    ExpertStacks { stacks, experts: EXPERTS, used: 2 }
}

fn expert(number: u64) -> [Range<u64>; 3] {
    let at = |stack: usize| {
        let start = stacks().stacks[stack].start + number * EACH[stack];
        start..start + EACH[stack]
    };
    [at(0), at(1), at(2)]
}

/// A stream with room for so many experts.
fn streamed(experts: u64) -> Streamed<FakeDisk> {
    let order_bytes = 4 * LEAF + 1000;
    let room = if experts == 0 { 0 } else { order_bytes + experts * ALL };
    let streaming = Streaming::new(order(), FILE, 7 * LEAF, room).with_experts(vec![stacks()]);
    assert_eq!(streaming.experts().each(), experts.min(EXPERTS));
    Streamed::new((FakeDisk::new(), TIMING), Lanes::Baseline, sealed(), &streaming).unwrap()
}

/// A pass in which these experts are chosen.
fn pass(weights: &mut Streamed<FakeDisk>, chosen: &[u64]) -> Result<(), WeightsError> {
    let order = order();
    weights.announce(core::slice::from_ref(&(40..50)));
    require(weights, core::slice::from_ref(&(40..50)))?;
    require(weights, &order[..1])?;
    let all: Vec<_> = chosen.iter().flat_map(|number| expert(*number)).collect();
    weights.announce(&all);
    for number in chosen {
        let expert = expert(*number);
        require(weights, &expert[..2])?;
        require(weights, &expert[2..])?;
    }
    require(weights, &order[1..])
}

#[test]
fn experts_come_with_whatever_room_and_in_whatever_company() {
    let passes: [&[u64]; 8] = [&[0, 1], &[1, 3], &[], &[0, 1, 2, 3], &[2], &[0, 3], &[0, 3], &[1, 2]];
    for room in 0..=5 {
        let mut weights = streamed(room);
        for chosen in passes {
            pass(&mut weights, chosen).unwrap();
        }
    }
}

#[test]
fn experts_that_were_chosen_last_are_not_read_again() {
    let mut weights = streamed(2);
    pass(&mut weights, &[0, 1]).unwrap();
    let row = LEAF;
    let read = |weights: &mut Streamed<FakeDisk>, chosen: &[u64]| {
        let before = weights.checked().bytes;
        pass(weights, chosen).unwrap();
        weights.checked().bytes - before - row
    };
    assert_eq!(read(&mut weights, &[0, 1]), 0);
    assert!(read(&mut weights, &[0, 2]) >= ALL);
    assert_eq!(read(&mut weights, &[0, 2]), 0);
    // Of more than there is room for, those that have room keep it.
    assert!(read(&mut weights, &[0, 1, 2, 3]) >= 2 * ALL);
    assert_eq!(read(&mut weights, &[0, 2]), 0);
    assert_eq!(weights.hits(), Hits { memory: 9, disk: 5 });
}

#[test]
fn without_room_every_pass_reads_its_experts_again() {
    let mut weights = streamed(0);
    pass(&mut weights, &[0, 1]).unwrap();
    let first = weights.checked().bytes;
    pass(&mut weights, &[0, 1]).unwrap();
    assert_eq!(weights.checked().bytes, 2 * first);
    assert_eq!(weights.hits(), Hits { memory: 0, disk: 4 });
}

#[test]
fn what_is_announced_is_read_at_once() {
    let mut weights = streamed(0);
    pass(&mut weights, &[]).unwrap();
    weights.announce(&[expert(0), expert(2)].concat());
    for _ in 0..8 * SLOTS {
        weights.poll();
    }
    // Two slots were left for it, and filled before anybody required it.
    let leaf = stacks().stacks[0].start / LEAF;
    let reads = &weights.intake.disk.reads;
    assert!(reads[reads.len() - 4..].contains(&leaf), "{reads:?}");
    let before = reads.len();
    require(&mut weights, &expert(0)[..1]).unwrap();
    assert!(!weights.intake.disk.reads[before..].contains(&leaf));
}

#[test]
fn what_was_announced_and_is_not_wanted_stands_in_nobodys_way() {
    let mut weights = streamed(1);
    for _ in 0..3 {
        weights.announce(&[expert(3), expert(0)].concat());
        require(&mut weights, &expert(2)[..2]).unwrap();
        require(&mut weights, &expert(0)[2..]).unwrap();
        pass(&mut weights, &[1, 2]).unwrap();
    }
    weights.announce(&[7..7, FILE..FILE + 5]);
    pass(&mut weights, &[3]).unwrap();
}

#[test]
fn an_expert_that_changes_between_passes_stops_all_that_follow() {
    let at = usize::try_from(DISK_OFFSET + expert(1)[2].start + 7).unwrap();
    let leaf = (expert(1)[2].start + 7) / LEAF;
    for (room, expected) in [(0, Err(WeightsError::Differs { leaf })), (1, Ok(()))] {
        let mut weights = streamed(room);
        pass(&mut weights, &[1]).unwrap();
        weights.intake.disk.bytes[at] ^= 1;
        // What is in memory was checked when it came, and is read no more.
        assert_eq!(pass(&mut weights, &[1]), expected);
        assert_eq!(pass(&mut weights, &[1]), expected);
    }
}
