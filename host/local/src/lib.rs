//! The engine as an ordinary process: the same model and kernels as in the appliance, over a file in memory and threads.
//!
//! - [`ModelFile`]: a GGUF file read into large pages;
//! - [`with_team`]: threads as the cpus of a pass;
//! - [`Local`]: a model ready to answer;
//! - [`rates`]: how fast it reads prompts and decodes;
//! - [`drafted()`]: how fast it answers with a draft model and without;
//! - [`Runner`]: logits of given tokens.
//!
//! Trust: the file is the user's own. Nothing is sealed or measured here, and no leaf is checked.
#![forbid(unsafe_code)]

mod draft;
mod drafted;
mod file;
mod memory;
mod model;
mod rate;
mod runner;
mod threads;

pub use drafted::{Drafted, context, drafted};
pub use file::{FileError, ModelFile};
pub use memory::read_rate;
pub use model::{Answer, LoadError, Local, Settings};
pub use rate::{Rates, Workload, rates};
pub use runner::Runner;
pub use threads::with_team;
