//! Memory of the VMM beyond the guest's.

use super::Bench;
use super::start::{Server, vial_run};
use super::table::Report;
use crate::client::{self, Site};
use anyhow::{Context as _, Result};
use std::path::Path;

/// Guest memory in KiB: `vial run`'s default.
const GUEST_KIB: u64 = 512 << 10;

/// Adds what the process holds once it has answered.
pub(super) fn measure(bench: &Bench, image: &Path, report: &mut Report) -> Result<()> {
    let site = Site::free()?;
    let server = Server(vial_run(bench, image, site).spawn()?);
    client::arrivals(site, &client::chat("Tell me a story.", 64))?;
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps", server.0.id())).context("read smaps")?;
    let (all, guest) = resident(&maps);
    let beyond = all.saturating_sub(guest);
    let mib = |kib: u64| format!("{}.{} MiB", kib >> 10, ((kib & 1023) * 10) >> 10);
    let rows = vec![
        vec!["guest memory in use".to_owned(), mib(guest), "512 MiB".to_owned()],
        vec!["VMM beyond it".to_owned(), mib(beyond), "at most 32 MiB".to_owned()],
    ];
    report.table("Memory of `vial run`", &["what", "resident", "wanted"], &rows);
    Ok(())
}

/// Resident KiB of all mappings, and of the one that holds guest memory: the only one as large.
fn resident(maps: &str) -> (u64, u64) {
    let (mut all, mut guest, mut size) = (0, 0, 0);
    for line in maps.lines() {
        let field = |name: &str| {
            let rest = line.strip_prefix(name)?;
            rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        size = field("Size:").unwrap_or(size);
        if let Some(resident) = field("Rss:") {
            all += resident;
            guest += if size >= GUEST_KIB { resident } else { 0 };
        }
    }
    (all, guest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_mapping_is_told_from_the_others() {
        let maps = "7f-8f rw-p\nSize:             526336 kB\nRss:              300000 kB\n\
                    1f-2f r--p\nSize:                 64 kB\nRss:                  40 kB\n";
        assert_eq!(resident(maps), (300_040, 300_000));
    }
}
