//! Appliances whose TEE the VMM plays: what is asked of one, and what `vial verify` says of it.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::path::Path;

use crate::{Vial, text};

/// What an appliance of these flags answers, and the exit code of `verify` with each of the others.
///
/// # Errors
/// It does not start, answer or end as it should.
pub fn answered(
    vial: &Vial,
    image: &Path,
    flags: &[&str],
    verifying: &[&[&str]],
) -> Result<(Value, Vec<Option<i32>>)> {
    let mut appliance = vial.start(image, flags)?;
    let event = appliance.await_event("ready")?;
    ensure!(event["event"] == "ready", "found {event}, expected it ready");
    let body = json!({ "messages": [{ "role": "user", "content": "Name three rivers." }], "max_tokens": 24, "temperature": 0 });
    let (status, answer) = appliance.send("/v1/chat/completions", &body)?;
    ensure!(status == 200, "found {status} {answer}, expected 200");
    let answer: Value = serde_json::from_str(&answer)?;
    let (url, image) = (appliance.url(""), text(image)?);
    let verdict = |more: &&[&str]| {
        let all = [&["verify", &url, "--image", image, "--allow-simulated"], *more].concat();
        Ok(vial.run(&all)?.status.code())
    };
    let verdicts = verifying.iter().map(verdict).collect::<Result<_>>()?;
    let code = appliance.stop()?;
    ensure!(code == Some(0), "found exit code {code:?}, expected 0");
    Ok((answer["choices"][0]["message"].clone(), verdicts))
}
