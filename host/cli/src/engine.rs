//! What `chat` and `bench` share: the model file, threads, instruction set.

use std::path::{Path, PathBuf};
use vial_local::{LoadError, ModelFile};
use vial_model::kv::KvKind;
use vial_model::transformer::PassError;
use vial_tensor::Isa;

use crate::failure::Failure;
use crate::kv::KvArg;
use crate::terminal::bar;

/// Flags of the engine as a process.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EngineArgs {
    /// The GGUF file.
    pub(crate) model: PathBuf,
    /// Threads; all processors if not given.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Instruction set; the fastest there is if not given.
    #[arg(long, value_enum)]
    isa: Option<IsaArg>,
    /// How keys and values are kept.
    #[arg(long, default_value = "f16", value_enum)]
    kv: KvArg,
}

/// An instruction set by name.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum IsaArg {
    /// Plain code: the reference, slow.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 with VNNI.
    Avx512,
    /// AVX-512, and AMX for prompts and several streams.
    Amx,
}

impl EngineArgs {
    /// How many threads.
    pub(crate) fn threads(&self) -> Result<usize, Failure> {
        let all = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
        match self.threads.unwrap_or(all) {
            threads @ 1..=256 => Ok(threads),
            found => {
                let text = format!("--threads: found {found}, expected 1 to 256");
                Err(Failure::new(text, format!("this machine has {all} processors")))
            }
        }
    }

    /// Which instruction set.
    pub(crate) fn isa(&self) -> Result<Isa, Failure> {
        let found = match self.isa {
            None => Some(Isa::detect()),
            Some(IsaArg::Portable) => Some(Isa::PORTABLE),
            Some(IsaArg::Avx2) => Isa::avx2(),
            Some(IsaArg::Avx512) => Isa::avx512(),
            Some(IsaArg::Amx) => Isa::amx(),
        };
        let best = Isa::detect();
        found.ok_or_else(|| Failure::new("--isa: this processor does not have it", format!("it has {best}")))
    }

    /// How keys and values are kept.
    pub(crate) fn kv(&self) -> KvKind {
        self.kv.into()
    }

    /// The file in memory.
    pub(crate) fn read(&self) -> Result<ModelFile, Failure> {
        read(&self.model)
    }
}

/// A model file in memory.
pub(crate) fn read(path: &Path) -> Result<ModelFile, Failure> {
    let bar = bar("loading", 0);
    let file = ModelFile::read(path, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let hint = "check the path and its permissions";
    file.map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))
}

/// A model that is not understood, or a request that does not fit.
pub(crate) fn not_loaded(model: &Path, error: &LoadError) -> Failure {
    let hint = match error {
        LoadError::Submit(_) => "shorten the conversation, or give it more room with --context",
        LoadError::Draft(_) => "draft by a smaller model of the same family",
        LoadError::Pass(PassError::NoToken | PassError::Grammar(_)) => {
            "allow other texts by the grammar, or simplify it"
        }
        LoadError::Pass(_) => "the file may be damaged: compare its SHA-256 with the hub's",
        _ => "see `vial build --help` for what is supported",
    };
    Failure::new(format!("{}: {error}", model.display()), hint)
}
