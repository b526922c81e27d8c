//! A hostile host of a trust domain, and a module whose registers lie: what calls answer, and what shared memory holds between two
//! looks. Both may do as they should, too, and then the domain has to get what it wants. A script chooses what that is.
#![no_main]

use core::cell::RefCell;
use vial_abi::memory::{PAGE, Region};
use vial_fuzz::Script;
use vial_fuzz::domain::{BIT, BUFFER_BYTES, Seat, World, region};
use vial_simulated_tdx::Mapping;
use vial_tdx::accept::accept;
use vial_tdx::instruction::{self, Width};
use vial_tdx::map::{make_private, share};
use vial_tdx::quote::{HEADER_BYTES, QuoteError, is_over, is_simulated_over, quote};
use vial_tdx::report::{TdReport, report};
use vial_tdx::rtmr::extend;
use vial_tdx::status::Refusal;
use vial_tdx::{SharedBit, TRIES, end};

/// Looks until a domain no longer waits; an honest host needs fewer.
const WAITS: u32 = 8;
const WIDTHS: [Width; 4] = [Width::One, Width::Two, Width::Four, Width::Eight];
const TRIES_MAX: u64 = TRIES as u64;

type Shared<'a> = RefCell<World<'a>>;

/// The bit is what the domain was told before, or there is none.
fn ask(world: &Shared<'_>) {
    world.borrow_mut().begin(TRIES_MAX);
    let found = SharedBit::ask(&mut Seat(world), BIT);
    assert!(found == Ok(SharedBit::known(BIT)) || !world.borrow().is_played, "{found:?}");
}

/// Over these data, and nobody else's; without a word of the module's own there is a report.
fn reported(world: &Shared<'_>, round: u8) -> Option<TdReport> {
    let (mut seat, data) = (Seat(world), [round; 64]);
    world.borrow_mut().begin(TRIES_MAX);
    let found = report(&mut seat.clone(), &mut seat, &data);
    let world = world.borrow();
    match &found {
        Ok(report) => {
            assert_eq!((&report.bytes()[..2], report.report_data()), (&[0x81, 0][..], data));
            let is_module = report.bytes()[..] == world.module.info.report(&data);
            assert!(is_module || !world.is_played, "another report than the module's");
        }
        Err(error) => assert!(!world.is_honest, "{error:?}"),
    }
    found.ok()
}

/// A quote that is taken fits, and repeats the report; an honest host's is taken.
fn quoted(world: &Shared<'_>, report: &TdReport) {
    world.borrow_mut().begin(1);
    let kind = world.borrow_mut().script.byte() % 3;
    world.borrow_mut().sign(kind);
    let room = world.borrow_mut().script.pick(&[8192, BUFFER_BYTES - HEADER_BYTES, 1184, 600]);
    let (mut to, mut seat, mut waits) = (vec![0; room], Seat(world), 0);
    let may_wait = || {
        waits += 1;
        waits <= WAITS
    };
    let is_over = if kind < 2 { is_over } else { is_simulated_over };
    match quote(&mut seat.clone(), &mut seat, report, &mut to, is_over, may_wait) {
        Ok(len) => assert!(repeats(&to[..len], report, kind < 2)),
        Err(QuoteError::Buffer) => panic!("there is room for a report"),
        Err(QuoteError::Late) => assert_eq!(waits, WAITS + 1),
        Err(QuoteError::Length(len)) => assert!(len == 0 || len > room.min(BUFFER_BYTES - HEADER_BYTES)),
        Err(error) => assert!(!world.borrow().is_honest, "{error:?}"),
    }
}

/// Written from the formats once more.
fn repeats(quote: &[u8], report: &TdReport, is_real: bool) -> bool {
    let (report, at) = (report.bytes(), if quote[0] == 5 { 54 } else { 48 });
    if is_real {
        quote[at + 120..at + 520] == report[512..912] && quote[at + 520..at + 584] == report[128..192]
    } else {
        quote[0x50..0x90] == report[128..192] && quote[0x90..0xC0] == report[528..576]
    }
}

/// Once if it is said to be done, and not at all otherwise.
fn extended(world: &Shared<'_>, register: u8) {
    let (mut seat, before) = (Seat(world), world.borrow().module.info.rtmr);
    world.borrow_mut().begin(TRIES_MAX);
    let found = extend(&mut seat.clone(), &mut seat, register, &[register; 48]);
    let world = world.borrow();
    let changed = before.iter().zip(world.module.info.rtmr).filter(|(before, after)| **before != *after);
    assert!(usize::from(found.is_ok()) == changed.count() || !world.is_played, "{found:?}");
    assert!(found.is_ok() || register > 3 || !world.is_honest, "{found:?}");
}

/// All of it, and zero, or all that is below the page that is named.
fn accepted(world: &Shared<'_>) {
    let Region { pa, len } = region(&mut world.borrow_mut().script);
    world.borrow_mut().begin(TRIES_MAX * (len / PAGE + 2));
    let found = accept(&mut Seat(world), Region { pa, len });
    let end = found.map_or_else(|error| error.gpa, |()| pa + len);
    assert!((pa..=pa + len).contains(&end) && end.is_multiple_of(PAGE), "{found:?}");
    let world = world.borrow();
    let is_accepted = |page| matches!(page, Mapping::Accepted { .. });
    assert!(!world.is_honest || world.module.pages.are(pa..end, is_accepted), "{found:?}");
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    assert!(!world.is_honest || world.private.bytes(pa, (end - pa) as usize).is_some_and(is_zero));
    assert!(found.is_ok() || end < pa + len, "{found:?}");
    assert!(!world.is_honest || found.map_err(|error| error.refusal) != Err(Refusal::SizeMismatch));
}

/// The host does as it is told, or says that it did not.
fn mapped(world: &Shared<'_>, is_shared: bool) {
    let (bit, Region { pa, len }) = (SharedBit::known(BIT), region(&mut world.borrow_mut().script));
    world.borrow_mut().begin(9 * (len / PAGE + 1));
    let found = if is_shared {
        share(&mut Seat(world), bit.share(pa), len)
    } else {
        make_private(&mut Seat(world), bit, pa, len)
    };
    let world = world.borrow();
    let is_so = |page| match page {
        Mapping::Shared => is_shared,
        Mapping::Pending { .. } => !is_shared,
        _ => false,
    };
    assert!(!world.is_honest || found.is_ok() == (len > 0), "{found:?}");
    assert!(!world.is_honest || found.is_err() || world.module.pages.are(pa..pa + len, is_so));
}

/// What comes back is no wider than what was asked for.
fn instructed(world: &Shared<'_>) {
    let (kind, place, value, width) = {
        let script = &mut world.borrow_mut().script;
        (script.byte() % 9, script.byte(), script.word(), script.pick(&WIDTHS))
    };
    let (mut seat, device) = (Seat(world), SharedBit::known(BIT).share(u64::from(place) << 12));
    world.borrow_mut().begin(1);
    let result = match kind {
        0 => instruction::read_port(&mut seat, place.into(), width),
        1 => instruction::read_mmio(&mut seat, device, width),
        2 => instruction::read_msr(&mut seat, place.into()).map(|_| 0),
        3 => instruction::cpuid(&mut seat, 0x4000_0000 | u32::from(place), 0).map(|_| 0),
        4 => instruction::write_port(&mut seat, place.into(), width, value).map(|()| 0),
        5 => instruction::write_mmio(&mut seat, device, width, value).map(|()| 0),
        6 => instruction::write_msr(&mut seat, place.into(), value).map(|()| 0),
        7 => instruction::halt(&mut seat, false).map(|()| 0),
        _ => Ok(end::report_fatal_error(&mut seat, place)).map(|()| 0),
    };
    let bits = match width {
        Width::One => 8,
        Width::Two => 16,
        Width::Four => 32,
        Width::Eight => 64,
    };
    assert!(result.is_ok_and(|value| value <= u64::MAX >> (64 - bits)) || result.is_err());
    // There are no eight bytes at a port, and odd registers are not the guest's.
    let may_fail = match kind {
        0 | 4 => width == Width::Eight,
        2 | 6 => place & 1 == 1,
        _ => false,
    };
    assert!(result.is_err() == may_fail || !world.borrow().is_honest, "{result:?}");
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let world = RefCell::new(World::new(Script(data)));
    let mut last = None;
    for round in 0..u8::MAX {
        if world.borrow().script.0.is_empty() {
            break;
        }
        let kind = world.borrow_mut().script.byte() % 8;
        match (kind, &last) {
            (0, _) => ask(&world),
            (1, _) => extended(&world, round % 5),
            (2, _) => accepted(&world),
            (3 | 4, _) => mapped(&world, kind == 3),
            (5, _) => instructed(&world),
            (6, Some(report)) => quoted(&world, report),
            _ => last = reported(&world, round),
        }
    }
});
