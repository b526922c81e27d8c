//! Fuzzing: every parser on a trust boundary, for a while each.

use crate::step::{cargo, has_program, run as step, target, workspace};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::Command;

const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";
/// A chat with something of everything, and what embeddings have beside it.
const BODY: &[u8] = br#"{"messages":[{"role":"system","content":[{"type":"text","text":"a"}]},{"role":"assistant",
    "content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"1","content":"b"}],"tools":[{"type":"function","function":{"name":"f",
    "parameters":{"type":"object"},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"stop":["x"],"temperature":0.5,
    "logprobs":true,"top_logprobs":2,"chat_template_kwargs":{"enable_thinking":false},"stream":true,
    "stream_options":{"include_usage":true},"prompt_cache_key":"k","user":"u","input":[[1,2],"c"],"dimensions":8,
    "encoding_format":"base64"}"#;
/// The rest of an event log: one bank, SHA-384, and one event.
const LOG: &[u8] = b"\0\0\0\0\0\x02\0\x02\x01\0\0\0\x0c\0\x30\0\0\x01\0\0\0\x04\0\0\0\x01\0\0\0\x0c\0AB12345678901234567890123456789012345678\
    90123456\x04\0\0\0data";
/// Longest input.
const MAX_BYTES: u32 = 1 << 16;

/// Which targets, how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Targets; all if none is named.
    targets: Vec<String>,
    /// Seconds for each.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Print the targets' names and end.
    #[arg(long)]
    list: bool,
}

/// Runs them; the first crash ends it, and its input is kept.
pub(crate) fn run(options: &Options) -> Result<()> {
    let all = names()?;
    if options.list {
        all.iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if let Some(unknown) = options.targets.iter().find(|target| !all.contains(target)) {
        bail!("target: found {unknown}, expected one of {}", all.join(", "));
    }
    if !has_program("cargo-fuzz") {
        step("install cargo-fuzz", &mut cargo(["install", "--quiet", "--locked", CARGO_FUZZ])?)?;
    }
    let chosen = if options.targets.is_empty() { &all } else { &options.targets };
    chosen.iter().try_for_each(|name| one(name, options.seconds))
}

/// Names of the files in `fuzz/fuzz_targets`.
fn names() -> Result<Vec<String>> {
    let folder = workspace()?.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn one(name: &str, seconds: u32) -> Result<()> {
    let corpus = seeds(name)?;
    let mut fuzz = fuzz()?;
    fuzz.args(["run", name]).arg(&corpus).args(["--sanitizer", "none", "--target-dir"]);
    fuzz.arg(target()?.join("fuzz")).arg("--");
    fuzz.args([format!("-max_total_time={seconds}"), format!("-max_len={MAX_BYTES}")]);
    fuzz.args(["-rss_limit_mb=2048", "-timeout=10", "-verbosity=0"]);
    step(&format!("fuzz {name} for {seconds} s"), &mut fuzz)
}

/// cargo-fuzz on this toolchain: coverage needs flags only, which the compiler takes from nightlies alone.
fn fuzz() -> Result<Command> {
    let mut fuzz = cargo(["fuzz"])?;
    fuzz.env("RUSTC_BOOTSTRAP", "1");
    Ok(fuzz)
}

/// The folder of inputs found so far, with a first one where there is none: a valid file where we can make one.
fn seeds(name: &str) -> Result<PathBuf> {
    let folder = target()?.join("fuzz-corpus").join(name);
    std::fs::create_dir_all(&folder)?;
    let seed = match name {
        "gguf" => vial_model::tiny::llama(1).get(..12 << 10).unwrap_or_default().to_vec(),
        "template" => b"{% for m in messages %}{{ m['role'] + m.content | trim }}{% endfor %}\0text".to_vec(),
        "grammar" => b"root ::= \"[\" (root (\",\" root)*)? \"]\" | [0-9]{1,3}\0[1,[2]]".to_vec(),
        "schema" => {
            br#"{"type":"object","properties":{"a":{"type":["integer","null"]}},"required":["a"]}"#.to_vec()
        }
        "http" => b"POST /v1/completions HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"a\"}".to_vec(),
        "body" => BODY.to_vec(),
        "snp" => [&b"\x02\0\0\0\0\0\0\0\0\0\x03"[..], &[0; 0x29], &[1], &[0; 0x46B]].concat(),
        "policy" => {
            b"profile = \"strict\"\nsnp.tcb = \"any\"\n[appliance]\nweights_root = [\"00\"]\n".to_vec()
        }
        "page" => br#"{"question":null,"dropped":[{"name":"a","bytes":"00"}],"at":"","clock":1}"#.to_vec(),
        "tpm" => [&b"\0\0\0\0\x03\0\0\0"[..], &[0; 20], b"\x21\0\0\0Spec ID Event03\0", LOG].concat(),
        "ghcb" => wishes(),
        "snp_exits" => request(),
        "tdx_guest" => quotes(),
        "tdx_calls" => calls(),
        "certificates" => table(),
        "cpuid_page" => [&[1][..], &[0; 15], &[0x1F, 0, 0, 0x80], &[0; 20], &[16, 0, 0, 0, 51]].concat(),
        "certificate" => certificate()?,
        "receipt" => claims(),
        _ => Vec::new(),
    };
    std::fs::write(folder.join("seed"), seed)?;
    Ok(folder)
}

/// A host that does as it should (2) once for each exit, and a guest that wants something of everything and then two reports.
fn wishes() -> Vec<u8> {
    let agreed = [2, 0].repeat(4);
    let wishes = (0..10).flat_map(|kind| [kind, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
    agreed.into_iter().chain(wishes).chain([11, 2, 0, 11, 2, 0]).collect()
}

/// A message that asks for a report, and the page that asks to carry it. Spec: AMD 56860 rev 1.58 table 98, 56421 rev 2.03 table 7.
fn request() -> Vec<u8> {
    let header = [&[1][..], &[0; 15], &[1, 1, 0x60, 0, 5, 1, 96], &[0; 41]].concat();
    let words = [0, 0, 0, 0, 0x8000_0011_u64, 0x2000, 0x3000, 0x1800].map(u64::to_le_bytes);
    [&[1][..], &header, words.as_flattened(), &[0; 48], &[0xFF]].concat()
}

/// A domain that wants something of everything of surroundings that do as they should, and quotes of each kind, the last some looks
/// later (1); and a host that always asks to be asked again (3).
fn quotes() -> Vec<u8> {
    let asked = [0, 0, 1, 0, 2, 0, 1, 1, 0, 3, 0, 1, 1, 0, 4, 0, 1, 1, 0];
    let instructions = (0..9).flat_map(|kind| [5, kind, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let quotes = (0..3).flat_map(|kind| [6, kind, 0, 0, 0, 0]);
    let later = [6, 0, 0, 1, 2, 0, 0, 0, 0, 0];
    let again = [3, 1, 1, 1].repeat(20);
    asked
        .into_iter()
        .chain(instructions)
        .chain([7, 0])
        .chain(quotes)
        .chain(later)
        .chain([3, 0, 1, 1])
        .chain(again)
        .collect()
}

/// Calls of each leaf (5), among them for a report that is shared (4) behind the header of a request (1) and signed. Places by their
/// numbers; from 0x80 on small numbers.
fn calls() -> Vec<u8> {
    let extend = [5, 3, 0x81, 0x80, 0];
    let accept = [5, 5, 0x80, 0x80, 3, 5, 5, 0x80, 0x80, 0x44, 1];
    let report = [5, 4, 0, 0x80, 1];
    let header = [1, 5, 24, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0];
    let quote = [4, 1, 0x45, 24, 5, 0, 0x80, 0x80, 7, 5, 3, 0x80, 0x80];
    [&extend[..], &accept, &report, &header, &quote].concat()
}

/// One entry, of the chip's key, and its certificate. Spec: AMD 56421 rev 2.03 §4.1.8.1.
fn table() -> Vec<u8> {
    let chip =
        [0x8D, 0x75, 0xDA, 0x63, 0x64, 0xE6, 0x64, 0x45, 0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD];
    [&chip[..], &[48, 0, 0, 0, 3, 0, 0, 0], &[0; 24], b"key"].concat()
}

/// A certificate of an appliance.
fn certificate() -> Result<Vec<u8>> {
    let made = vial_channel::certificate::make(&vial_channel::Identity::new(&[7; 32]), b"{}");
    made.map_err(|error| anyhow::anyhow!("certificate: {error}"))
}

/// The claims of a receipt: what stands behind the signature's header.
fn claims() -> Vec<u8> {
    let receipt = vial_receipt::Receipt {
        issued_s: 1,
        request: [1; 32],
        response: [2; 32],
        response_bytes: 3,
        outcome: vial_receipt::Outcome::Stop,
        manifest_digest: [4; 48],
        weights_root: [5; 32],
        draft_root: Some([6; 32]),
        engine: "1".to_owned(),
        sampling: vial_receipt::Sampling::default(),
        tokens: Some(vial_receipt::Tokens { prompt: 1, completion: 2 }),
        leaf_checks: vial_receipt::LeafChecks::default(),
        evidence: [7; 32],
    };
    let signed = vial_receipt::sign(&receipt, &[0; 32], |_| [0; 64]).unwrap_or_default();
    // A map of thirteen claims; nothing before it has that byte.
    signed
        .iter()
        .position(|byte| *byte == 0xAD)
        .map_or_else(Vec::new, |at| signed[at..signed.len() - 66].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_of_made_inputs_are_whole() {
        assert!(certificate().unwrap().len() > 100);
        assert_eq!(claims().first(), Some(&0xAD));
        assert_eq!(request().len(), 1 + 0x40 + 64 + 48 + 1);
    }
}
