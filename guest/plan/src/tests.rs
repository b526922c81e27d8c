//! Plans of a tiny model whose file is as long as a test says.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use vial_model::gguf::Gguf;
use vial_model::kv::{KvKind, KvPlan};
use vial_model::transformer::{Pass, Transformer};
use vial_weights::LEAF_BYTES;

use crate::{
    AT_ONCE, DRAFTS, Demand, Keeping, Memory, NoRoom, Plan, RESERVE_BYTES, ROWS, Refusal, Streaming, Weighed,
};

/// Half of it is left when a whole model is to fit, all of it is known.
const MEMORY: Memory = Memory { bytes: 512 << 20, cpus: 1, blobs_bytes: 4096 };
/// Keys and values of 64 tokens: 2 x 2 layers x 2 heads x 64 tokens x 64 numbers.
const F16_PAGE: u64 = 2 * 2 * 2 * 64 * 128;
const Q8_0_PAGE: u64 = 2 * 2 * 2 * 64 * 68;
const SET: u64 = Streaming::set_bytes(AT_ONCE);
/// More than any memory holds.
const HUGE: u64 = 1 << 40;

/// A model of heads of 64 numbers.
fn model() -> Transformer {
    let file = vial_model::tiny::llama(1);
    let mut model = Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
    model.config.head_dim = 64;
    model
}

/// One sequence of 128 tokens.
fn demand(model: &Transformer, bytes: u64, kv: KvKind) -> Demand<'_> {
    Demand { model: Weighed { model, bytes }, draft: None, streams: 1, context: 128, kv }
}

fn activations(model: &Transformer, rows: usize, logits: usize) -> u64 {
    Pass::bytes(model, rows) + 4 * (model.config.vocabulary * logits) as u64
}

/// The plan where a whole model leaves `left` bytes.
fn whole(left: u64, kv: KvKind) -> Result<Plan, Box<Refusal>> {
    let model = model();
    let taken = activations(&model, ROWS, 1 + DRAFTS) + RESERVE_BYTES;
    demand(&model, MEMORY.heap_bytes() - taken - left, kv).plan(MEMORY)
}

#[test]
fn a_model_that_fits_is_kept_whole_beside_a_cache_of_the_kind_asked_for() {
    let of = |kv| whole(1 << 20, kv).unwrap();
    for (kv, page_bytes) in [(KvKind::F16, F16_PAGE), (KvKind::Q8_0, Q8_0_PAGE)] {
        let plan = of(kv);
        let cache = KvPlan { pages: 2, page_bytes, context: 128, streams: 1, kind: kv };
        assert!(plan.used_bytes() <= plan.heap_bytes);
        assert_eq!((plan.cache, plan.keeping, plan.rows), (cache, Keeping::Whole, ROWS));
    }
}

#[test]
fn fewer_rows_make_room_for_a_whole_model_and_then_it_is_streamed() {
    let least = activations(&model(), ROWS, 8) - activations(&model(), 16, 8);
    let rows = |left: u64| whole(left, KvKind::Q8_0).map(|plan| (plan.rows, plan.keeping == Keeping::Whole));
    assert_eq!(rows(2 * Q8_0_PAGE), Ok((ROWS, true)));
    assert_eq!(rows(2 * Q8_0_PAGE - 1), Ok((64, true)));
    // What 16 rows take less than 128 is all that can be won.
    let short = |bytes: u64| {
        let model = model();
        let taken = activations(&model, ROWS, 1 + DRAFTS) + RESERVE_BYTES;
        let bytes = MEMORY.heap_bytes() - taken - 2 * Q8_0_PAGE + bytes;
        demand(&model, bytes, KvKind::Q8_0)
            .plan(MEMORY)
            .map(|plan| (plan.rows, plan.keeping == Keeping::Whole))
    };
    assert_eq!(short(least), Ok((16, true)));
    assert_eq!(short(least + 1), Ok((ROWS, false)));
}

#[test]
fn rows_are_never_fewer_than_streams_and_their_drafts() {
    let model = model();
    let with = |streams: usize| {
        let demand = Demand { streams, ..demand(&model, HUGE, KvKind::F16) };
        demand.plan(Memory { bytes: demand.least_memory(MEMORY).unwrap(), ..MEMORY }).unwrap().rows
    };
    assert!(with(1) >= 16 && with(20) >= 27);
    assert_eq!(with(60), ROWS);
}

/// The plan of weights that no memory holds, where `left` bytes are left beside what streaming takes.
fn streamed(left: u64, kv: KvKind) -> Result<Plan, NoRoom> {
    let model = model();
    let memory = Memory { cpus: 1, blobs_bytes: 0, ..MEMORY };
    let taken = activations(&model, ROWS, 1 + DRAFTS) + RESERVE_BYTES + SET;
    let draft = Weighed { model: &model, bytes: memory.heap_bytes() - taken - left };
    // A draft model takes what is not to be left: it has a cache of its own, of as many pages.
    let demand = Demand { draft: Some(draft), ..demand(&model, HUGE, kv) };
    demand.plan(memory).map_err(|refusal| refusal.reason)
}

#[test]
fn what_memory_is_left_holds_the_first_weights_for_good() {
    let model = model();
    let Keeping::Streamed(streaming) = demand(&model, HUGE, KvKind::F16).plan(MEMORY).unwrap().keeping else {
        panic!("not streamed")
    };
    assert_eq!(streaming.ranges(), model.order(AT_ONCE));
    // A tiny model's weights are nothing beside what was claimed of them.
    assert_eq!((streaming.staying(), streaming.pass_bytes()), (streaming.ranges().len(), 0));

    let ranges =
        alloc::vec![5..LEAF_BYTES + 9, LEAF_BYTES + 9..2 * LEAF_BYTES, 2 * LEAF_BYTES..2 * LEAF_BYTES + 5];
    let of = |room| Streaming::new(ranges.clone(), 2 * LEAF_BYTES + 7, AT_ONCE, room);
    assert_eq!((of(0).staying_bytes(), of(0).pass_bytes()), (0, 3 * LEAF_BYTES + 7));
    assert_eq!((of(3 * LEAF_BYTES - 1).staying(), of(3 * LEAF_BYTES - 1).pass_bytes()), (1, LEAF_BYTES + 7));
    assert_eq!((of(3 * LEAF_BYTES + 7).staying_bytes(), of(HUGE).pass_bytes()), (3 * LEAF_BYTES + 7, 0));
    assert_eq!(of(0).longest(), 2 * LEAF_BYTES);
}

#[test]
fn more_memory_never_reads_more() {
    let file = vial_model::tiny::llama(1);
    let model = model();
    let demand =
        Demand { streams: 4, context: 512, ..demand(&model, file.len() as u64 + (600 << 20), KvKind::F16) };
    let mut before = u64::MAX;
    for mib in (demand.least_memory(MEMORY).unwrap() >> 20..1024).step_by(2) {
        let plan = demand.plan(Memory { bytes: mib << 20, ..MEMORY }).unwrap();
        let reads = match &plan.keeping {
            Keeping::Whole => 0,
            Keeping::Streamed(streaming) => streaming.pass_bytes(),
        };
        assert!(reads <= before && plan.used_bytes() <= plan.heap_bytes, "{mib}M: {plan:?}");
        before = reads;
    }
    assert_eq!(before, 0);
}

#[test]
fn a_draft_model_has_as_many_pages_as_the_model_out_of_what_both_may_take() {
    let pages = |pages: u64, kv| {
        // Both models' activations are more than one's, which comes out of what is left.
        let more = activations(&model(), ROWS, 1);
        let page = if kv == KvKind::F16 { F16_PAGE } else { Q8_0_PAGE };
        streamed(more + pages * 2 * page, kv).map(|plan| (plan.cache.pages, plan.draft_cache.unwrap().pages))
    };
    for kv in [KvKind::F16, KvKind::Q8_0] {
        assert_eq!(pages(2, kv), Ok((2, 2)));
        assert_eq!(pages(9, kv), Ok((2, 2)));
    }
}

#[test]
fn a_file_longer_than_any_run_of_memory_is_streamed_though_the_sum_would_hold_it() {
    let model = model();
    let demand = demand(&model, 3500 << 20, KvKind::F16);
    let of = |bytes: u64| demand.plan(Memory { bytes, ..MEMORY }).unwrap().keeping == Keeping::Whole;
    assert!(!of(5 << 30));
    assert!(of(7 << 30));
    assert_eq!(demand.least_whole_memory(MEMORY), Some((3 << 30) + (3500 << 20)));
}

#[test]
fn what_does_not_fit_says_what_would() {
    // Of so many layers that keys and values take most of the memory.
    let mut model = model();
    model.config.layers = 128;
    let demand = Demand { streams: 1, context: 512, ..demand(&model, HUGE, KvKind::F16) };
    let least = demand.least_memory(MEMORY).unwrap();
    let memory = |bytes: u64| Memory { bytes, ..MEMORY };
    let less = memory(least - (2 << 20));
    demand.plan(memory(least)).unwrap();
    let refusal = demand.plan(less).unwrap_err();
    let (least_q8_0, context) = (refusal.least_q8_0.unwrap(), refusal.context.unwrap());
    assert!(refusal.least == Some(least) && least_q8_0 < least && (64..512).contains(&context), "{refusal}");
    let integers = Demand { kv: KvKind::Q8_0, ..demand };
    integers.plan(memory(least_q8_0)).unwrap();
    integers.plan(memory(least_q8_0 - (2 << 20))).unwrap_err();
    Demand { context, ..demand }.plan(less).unwrap();
    Demand { context: context + 64, ..demand }.plan(less).unwrap_err();
    let text = refusal.to_string();
    let said = alloc::format!(
        "found {}M, expected at least {}M, or {}M with --kv q8_0, or a context of at most {context} tokens: ",
        less.bytes >> 20,
        least >> 20,
        least_q8_0 >> 20
    );
    assert!(text.contains(&said), "{text}");
}

#[test]
fn a_refusal_is_one_line_with_the_arithmetic() {
    let model = model();
    let draft = Weighed { model: &model, bytes: MEMORY.heap_bytes() };
    let demand = Demand { draft: Some(draft), ..demand(&model, HUGE, KvKind::Q8_0) };
    let refusal = demand.plan(MEMORY).unwrap_err();
    let NoRoom::Heap { heap, weights, activations } = refusal.reason else { panic!("{refusal}") };
    assert_eq!((heap, weights), (MEMORY.heap_bytes(), MEMORY.heap_bytes() + SET));
    let sum = weights + activations + RESERVE_BYTES;
    let text = refusal.to_string();
    assert!(text.starts_with("memory: found 512M, expected at least "), "{text}");
    let end = alloc::format!("{RESERVE_BYTES} of reserve = {sum}, of {heap} of heap");
    assert!(text.ends_with(&end) && !text.contains("q8_0"), "{text}");
}
