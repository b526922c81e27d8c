//! What may stand in which file: unsafe code, length, words.

use crate::edge::{Layer, layer};
use crate::source::Source;
use crate::{Finding, finding};

/// Longest file in lines, unit tests left out. House style aims at 300.
const LINES_MAX: usize = 400;

/// Folders and files that may opt in to unsafe code, each for one reason.
const UNSAFE_ROOMS: &[(&str, &str)] = &[
    ("guest/hal/", "ring 0"),
    ("guest/kernel/src/entry.rs", "first instruction, and memory the kernel owns"),
    ("guest/kernel/src/service.rs", "copies between rings"),
    ("guest/user/", "calls, heap, devices' memory"),
    ("guest/tensor/", "vector loads and stores, cpus sharing rows"),
    ("guest/engine/src/entry.rs", "program entry"),
    ("firmware/rom/", "first instruction"),
    ("firmware/boot/src/entry.rs", "program entry"),
    ("host/kvm/", "ioctls and guest memory"),
    ("host/wasm/src/abi.rs", "names that a page calls"),
    ("qemu-tests/guests/", "breaks rules on purpose"),
];

/// Pure crates that need unsafe code all the same.
const PURE_WITH_UNSAFE: [&str; 1] = ["guest/tensor"];

/// What a pure crate never names: it takes clock, files and threads as arguments.
const IMPURE: [&str; 5] = ["std::fs", "std::net::Tcp", "std::thread", "SystemTime::now", "Instant::now"];

/// Most lines of ring 0, tests and the double left out: little enough to be read by whoever must trust it.
const RING_0_LINES_MAX: usize = 3000;
/// What runs in ring 0 once the appliance has started.
const RING_0: [&str; 4] = ["guest/hal/src/", "guest/kernel/src/", "guest/snp/src/", "guest/tdx/src/"];

/// Of it, what one TEE alone needs, and the second line what guests have in common whose host does not see their memory. A machine
/// has one TEE at most, so each is held apart and short.
const RING_0_TEES: [&[&str]; 4] = [
    &["guest/snp/src/", "guest/hal/src/x86_64/snp/"],
    &["guest/hal/src/x86_64/secure/", "guest/kernel/src/secure.rs"],
    &["guest/tdx/src/", "guest/hal/src/x86_64/tdx/"],
    &["guest/hal/src/tee.rs", "guest/hal/src/x86_64/doorbell.rs"],
];
const TEE_LINES_MAX: usize = 1400;

/// A ring 0 that has grown too large, or a TEE's part of it.
#[must_use]
pub fn ring_0(tree: &[Source]) -> Option<Finding> {
    let is_in = |source: &Source, folders: &[&str]| folders.iter().any(|one| source.path.starts_with(one));
    let is_common = |source: &Source| {
        is_in(source, &RING_0) && !is_in(source, &RING_0_TEES.concat()) && !source.path.ends_with("/fake.rs")
    };
    let tees = RING_0_TEES.into_iter().map(|tee| (tee[0], lines_of(tree, |source| is_in(source, tee))));
    let too_large = tees.into_iter().find(|&(_, lines)| lines > TEE_LINES_MAX);
    let common = ("guest/hal, guest/kernel", lines_of(tree, is_common));
    let place = too_large.or_else(|| (common.1 > RING_0_LINES_MAX).then_some(common));
    place.map(|(place, lines)| {
        let expected = format!("at most {RING_0_LINES_MAX}, and {TEE_LINES_MAX} for each TEE");
        finding(place, format!("found {lines} lines of ring 0, expected {expected}"))
    })
}

fn lines_of(tree: &[Source], is_counted: impl Fn(&Source) -> bool) -> usize {
    let counted = tree.iter().filter(|source| is_counted(source));
    counted.map(|source| source.lines_without_tests().count()).sum()
}

/// Every finding in one file.
#[must_use]
pub fn findings(source: &Source) -> Vec<Finding> {
    let mut all = vec![unfinished(source)];
    if source.is_rust() {
        all.extend([too_long(source), stray_unsafe(source), open_pure_crate(source), impure(source)]);
    }
    all.into_iter().flatten().collect()
}

fn too_long(source: &Source) -> Option<Finding> {
    let lines = source.lines_without_tests().count();
    let text = || format!("found {lines} lines, expected at most {LINES_MAX}");
    (lines > LINES_MAX).then(|| finding(&source.path, text()))
}

/// Code that opts in to unsafe outside the rooms for it.
fn stray_unsafe(source: &Source) -> Option<Finding> {
    let opts_in = source.text.lines().any(|line| {
        let line = line.trim_start();
        line.contains("expect(unsafe_code") || line.contains("allow(unsafe_code")
    });
    let has_room = UNSAFE_ROOMS.iter().any(|(room, _)| source.path.starts_with(room));
    let text = || "found unsafe code, expected it in the rooms of tidy/src/room.rs only".to_owned();
    (opts_in && !has_room && !is_own(source)).then(|| finding(&source.path, text()))
}

/// A pure crate's root that does not forbid unsafe code.
fn open_pure_crate(source: &Source) -> Option<Finding> {
    let folder = source.path.strip_suffix("/src/lib.rs")?;
    let is_pure = layer(folder)? <= Layer::Pure && !PURE_WITH_UNSAFE.contains(&folder);
    let is_closed = source.text.contains("#![forbid(unsafe_code)]");
    let text = || "found no #![forbid(unsafe_code)], expected it in a pure crate".to_owned();
    (is_pure && !is_closed).then(|| finding(&source.path, text()))
}

fn impure(source: &Source) -> Option<Finding> {
    let (folder, _) = source.path.split_once("/src/")?;
    if layer(folder)? > Layer::Pure {
        return None;
    }
    let word =
        IMPURE.into_iter().find(|word| source.lines_without_tests().any(|line| line.contains(word)))?;
    Some(finding(&source.path, format!("found {word}, expected it as an argument of a pure crate")))
}

/// Unfinished work without an owner.
fn unfinished(source: &Source) -> Option<Finding> {
    let word = ["TODO", "FIXME", "XXX"].into_iter().find(|word| source.text.contains(word))?;
    (!is_own(source)).then(|| finding(&source.path, format!("found {word}, expected finished work")))
}

/// This crate names what it looks for.
fn is_own(source: &Source) -> bool {
    source.path.starts_with("tidy/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        findings(&Source { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn unsafe_code_stays_in_its_rooms() {
        let text = "#![expect(unsafe_code, reason = \"…\")]";
        assert_eq!(count("guest/hal/src/page.rs", text), 0);
        assert_eq!(count("guest/net/src/http.rs", text), 1);
    }

    #[test]
    fn a_pure_crate_forbids_unsafe_code() {
        assert_eq!(count("guest/net/src/lib.rs", "#![forbid(unsafe_code)]"), 0);
        assert_eq!(count("guest/net/src/lib.rs", "#![no_std]"), 1);
        assert_eq!(count("guest/hal/src/lib.rs", "#![no_std]"), 0);
    }

    #[test]
    fn a_pure_crate_has_no_clock_file_or_thread_outside_its_tests() {
        assert_eq!(count("guest/net/src/http.rs", "use std::fs;"), 1);
        assert_eq!(count("guest/net/src/http.rs", "#[cfg(test)]\nuse std::fs;"), 0);
        assert_eq!(count("host/vmm/src/run.rs", "use std::fs;"), 0);
    }

    #[test]
    fn ring_0_and_each_tees_part_of_it_have_their_own_measure() {
        let place = |path: &str, lines: usize| {
            ring_0(&[Source { path: path.to_owned(), text: "\n".repeat(lines) }]).map(|finding| finding.place)
        };
        let (common, tee) = ("guest/hal/src/page.rs", "guest/tdx/src/quote.rs");
        assert_eq!(place(common, RING_0_LINES_MAX), None);
        assert_eq!(place(common, RING_0_LINES_MAX + 1).as_deref(), Some("guest/hal, guest/kernel"));
        assert_eq!(place(tee, TEE_LINES_MAX), None);
        assert_eq!(place(tee, TEE_LINES_MAX + 1).as_deref(), Some("guest/tdx/src/"));
    }

    #[test]
    fn long_files_and_unfinished_work_are_refused() {
        assert_eq!(count("guest/net/src/http.rs", &"\n".repeat(LINES_MAX)), 0);
        assert_eq!(count("guest/net/src/http.rs", &"\n".repeat(LINES_MAX + 1)), 1);
        assert_eq!(count("README.md", "TODO: write"), 1);
    }
}
