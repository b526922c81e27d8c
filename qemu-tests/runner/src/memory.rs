//! The memory of the process that runs an appliance, as its host would read it: the guest's, and the VMM's own.

use anyhow::{Result, bail};
use std::fs::File;
use std::io::{BufRead as _, Read as _, Seek as _, SeekFrom};

/// A mapping that can be read.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its first address in the process.
    pub start: u64,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Every mapping of a process that can be read.
///
/// # Errors
/// There is no such process, or it may not be looked into.
pub fn of(process: u32) -> Result<Vec<Mapping>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut memory = File::open(format!("/proc/{process}/mem"))?;
    // Devices' pages cannot be read so.
    Ok(maps.lines().filter_map(span).filter_map(|span| read(&mut memory, span).ok()).collect())
}

/// A run of a guest's memory below the device hole, as (address, bytes), where the guest has `memory_bytes` of it there.
///
/// # Errors
/// There is no such process, or not one mapping of the guest's length.
pub fn guest(process: u32, memory_bytes: u64, (pa, bytes): (u64, u64)) -> Result<Mapping> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut memory = File::open(format!("/proc/{process}/mem"))?;
    // Advice about large pages keeps it apart from other mappings.
    let guests: Vec<_> =
        maps.lines().filter_map(span).filter(|(from, to)| to - from == memory_bytes).collect();
    let &[(from, _)] = guests.as_slice() else { bail!("{} mappings of the guest's length", guests.len()) };
    read(&mut memory, (from + pa, from + pa + bytes))
}

fn span(line: &str) -> Option<(u64, u64)> {
    let (span, rest) = line.split_once(' ')?;
    let (from, to) = span.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    rest.starts_with('r').then_some((address(from)?, address(to)?))
}

fn read(memory: &mut File, (from, to): (u64, u64)) -> Result<Mapping> {
    let mut bytes = vec![0; usize::try_from(to - from)?];
    memory.seek(SeekFrom::Start(from))?;
    memory.read_exact(&mut bytes)?;
    Ok(Mapping { start: from, bytes })
}

/// Where `what` stands in `bytes`. Quick also without optimisation: memory is large.
#[must_use]
pub fn find(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let (mut rest, mut found) = (bytes, Vec::new());
    let Some(&first) = what.first() else { return found };
    while matches!(rest.skip_until(first), Ok(1..)) {
        let at = bytes.len() - rest.len() - 1;
        found.extend(bytes[at..].starts_with(what).then_some(at));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_and_no_other() {
        assert_eq!(find(b"aabaabaa", b"aab"), [0, 3]);
        assert_eq!(find(b"aaaa", b"aa"), [0, 1, 2]);
        for (bytes, what) in [(&b"ab"[..], &b"abc"[..]), (b"", b"a"), (b"a", b""), (b"xyz", b"a")] {
            assert!(find(bytes, what).is_empty());
        }
    }
}
