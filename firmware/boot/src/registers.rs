//! Run-time registers of a trust domain: what is in the event log goes there, too.
//!
//! All at once, when everything was compared and before the report and the hand-over: nothing of what is measured runs before.

use alloc::format;
use vial_abi::ExitCode;
use vial_weights::event_log::{self, Event, EventLog};
use vial_weights::rtmr::Rtmr;

use crate::{Machine, Refusal};

/// Extends the registers by every event, in the log's order.
pub(crate) fn extend(machine: &mut impl Machine, log: &EventLog) -> Result<(), Refusal> {
    let (events, _) =
        event_log::replay(log.bytes()).map_err(|error| Refusal::of(ExitCode::FirmwarePanic, &error))?;
    events.iter().try_for_each(|event| by(machine, event))
}

fn by(machine: &mut impl Machine, event: &Event) -> Result<(), Refusal> {
    let register = Rtmr::of(&event.name).map(Rtmr::index);
    let is_extended = register.is_some_and(|register| machine.extend(register, &event.digest));
    let text = || {
        format!("run-time register {register:?}: found that it is not extended, expected it for every event")
    };
    is_extended.then_some(()).ok_or_else(|| Refusal::new(ExitCode::TdxModule, &text()))
}
