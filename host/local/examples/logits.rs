//! Logits of given sequences, for `bench/accuracy.py`: `logits MODEL SEQUENCES.json OUT [THREADS [ROWS [KV [ISA]]]]`.
//!
//! SEQUENCES.json is a list of `{"ids": [...], "from": N}`; OUT gets the logits of every position from N on, f32. A pass has
//! ROWS tokens: one, as when decoding, if none is given. KV is f16 or q8_0. ISA is the fastest there is if none is given.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use vial_local::{ModelFile, Runner, with_team};
use vial_model::kv::KvKind;
use vial_model::transformer::Engine;
use vial_tensor::Isa;

#[derive(Deserialize)]
struct Sequence {
    ids: Vec<u32>,
    from: usize,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, sequences, out, rest @ ..] = &arguments[..] else {
        anyhow::bail!("usage: logits MODEL SEQUENCES.json OUT [THREADS [ROWS [KV [ISA]]]]");
    };
    let number = |at: usize| rest.get(at).map_or(Ok(1), |text| text.parse());
    let (threads, rows) = (number(0)?, number(1)?);
    let kv = match rest.get(2).map(String::as_str) {
        None | Some("f16") => KvKind::F16,
        Some("q8_0") => KvKind::Q8_0,
        Some(other) => anyhow::bail!("KV is {other}, expected f16 or q8_0"),
    };
    let isa = match rest.get(3) {
        None => Isa::detect(),
        Some(name) => {
            let named = Isa::supported().find(|isa| isa.name() == name);
            named.with_context(|| format!("ISA is {name}, which this processor has not"))?
        }
    };
    let file = ModelFile::read(Path::new(model), &mut |_, _| ())?;
    let sequences: Vec<Sequence> = serde_json::from_reader(File::open(sequences)?).context("sequences")?;
    let mut out = BufWriter::new(File::create(out)?);
    let context = sequences.iter().map(|sequence| sequence.ids.len()).max().unwrap_or(1);
    with_team(threads, |team| {
        let engine = Engine { team, isa };
        let mut runner = Runner::new(&file, engine, context, rows, kv)?;
        for sequence in &sequences {
            let mut bytes = Vec::new();
            runner.score(&sequence.ids, sequence.from, &mut |logits| {
                bytes.extend(logits.iter().flat_map(|logit| logit.to_le_bytes()));
            })?;
            out.write_all(&bytes)?;
        }
        Ok(out.flush()?)
    })
}
