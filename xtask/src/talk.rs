//! A chat request whose answer is printed as it comes.

use crate::client::{self, Site};
use anyhow::{Context as _, Result};
use std::io::Write as _;
use std::time::Instant;

/// Asks `question` and prints the answer, then its speed.
pub(crate) fn stream(site: Site, question: &str) -> Result<()> {
    let started = Instant::now();
    let (mut tokens, mut first) = (0_u32, None);
    client::stream(site, &client::chat(question, 96), &mut |text| {
        first.get_or_insert_with(|| started.elapsed());
        tokens += 1;
        print!("{text}");
        // A terminal that is gone is found by the next line.
        let _gone = std::io::stdout().flush();
    })?;
    let first = first.context("the appliance answered nothing")?;
    let rate = f64::from(tokens - 1) / (started.elapsed() - first).as_secs_f64();
    println!(
        "\n\n   first token after {:.0} ms, then {rate:.0} tokens per second",
        first.as_secs_f64() * 1000.0
    );
    Ok(())
}
