//! What the host of a guest of SEV-SNP sees of a conversation: nothing. The pages that guest and host share are searched while a
//! request is answered, and afterwards. Other appliances share with devices as much: the DMA window.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vial_abi::memory::{DMA_BYTES, DMA_PA, ROM_TEXT_PA};
use vial_runner::memory::{self, find};
use vial_runner::{Appliance, Vial};

const MEMORY: u64 = 512 << 20;
/// What the two share, as (address, bytes).
const LOW: (u64, u64) = (0, ROM_TEXT_PA);
const WINDOW: (u64, u64) = (DMA_PA, DMA_BYTES);
/// What a host would read of requests and answers in clear, whatever they are about.
const CLEAR: [&str; 4] = ["/v1/chat/completions", "HTTP/1.1 200", "\"delta\":{", "\"max_tokens\":"];

/// Its parts are never joined in this file.
fn canary(number: usize) -> String {
    format!("zQ{number:02}Xv7{}Wm{number:02}Y", "Kp")
}

/// The answer says one canary for long enough to be looked at meanwhile.
fn request() -> Value {
    json!({
        "messages": [
            { "role": "system", "content": canary(0) },
            { "role": "user", "content": format!("Say {} please.", canary(1)) },
        ],
        "grammar": format!("root ::= \"{}\"", canary(2).repeat(8)), "max_tokens": 300, "temperature": 0, "stream": true,
    })
}

fn needles() -> Vec<String> {
    (0..3).map(canary).chain(CLEAR.map(str::to_owned)).collect()
}

/// What was found in the clear in these areas. They are in use: rings of devices, pages of wishes. Records of TLS are there for moments.
fn seen(appliance: &Appliance, areas: &[(u64, u64)]) -> Vec<String> {
    let read = |area| memory::guest(appliance.process(), MEMORY, area).unwrap().bytes;
    let areas: Vec<_> = areas.iter().map(|area| read(*area)).collect();
    assert!(areas.iter().all(|bytes| bytes.iter().any(|byte| *byte != 0)), "they are in use");
    let is_seen = |needle: &String| areas.iter().any(|bytes| !find(bytes, needle.as_bytes()).is_empty());
    needles().into_iter().filter(is_seen).collect()
}

/// The same search in all of the guest's memory, which only a simulated TEE shows.
fn is_in_guest(appliance: &Appliance, what: &str) -> bool {
    let all = memory::guest(appliance.process(), MEMORY, (0, MEMORY)).unwrap();
    !find(&all.bytes, what.as_bytes()).is_empty()
}

/// Looks at the areas again and again while it answers; says how often.
fn converse(appliance: &Appliance, areas: &[(u64, u64)]) -> usize {
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| appliance.send("/v1/chat/completions", &request()).unwrap());
        let (mut looks, mut is_found) = (0, false);
        while !answer.is_finished() {
            assert_eq!(seen(appliance, areas), [""; 0], "look {looks}");
            is_found = is_found || is_in_guest(appliance, &canary(1));
            looks += 1;
        }
        let (status, answer) = answer.join().unwrap();
        assert!(status == 200 && answer.contains("\"delta\":{"), "{answer}");
        assert!(is_found, "the search finds what is there");
        looks
    })
}

fn start(image: &Path, arguments: &[&str]) -> Option<Appliance> {
    let (vial, model) = (Vial::from_env()?, std::env::var_os("VIAL_TEST_MODEL").map(PathBuf::from)?);
    vial.build(&model, image).unwrap();
    let mut appliance = vial.start(image, &[&["--memory", "512M"], arguments].concat()).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    // All weights are there.
    let (status, answer) =
        appliance.send("/v1/completions", &json!({ "prompt": "a", "max_tokens": 1 })).unwrap();
    assert_eq!(status, 200, "{answer}");
    Some(appliance)
}

fn shows_nothing(arguments: &[&str], areas: &[(u64, u64)]) {
    let folder = tempfile::tempdir().unwrap();
    let Some(appliance) = start(&folder.path().join("model.img"), arguments) else { return };
    let looks = converse(&appliance, areas);
    assert!(looks > 1, "{looks} looks");
    assert_eq!(seen(&appliance, areas), [""; 0], "afterwards");
    assert_eq!(appliance.stop().unwrap(), Some(0));
}

#[test]
fn the_host_of_a_guest_of_snp_sees_nothing_of_a_conversation() {
    shows_nothing(&["--tee", "simulated-snp"], &[LOW, WINDOW]);
}

#[test]
fn devices_see_nothing_of_a_conversation() {
    shows_nothing(&[], &[WINDOW]);
}
