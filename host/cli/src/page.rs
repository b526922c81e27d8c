//! `vial page`: the verifier as a page, for who has a browser only.

use std::path::{Path, PathBuf};
use vial_attest::Question;

use crate::failure::Failure;
use crate::publish::publish;
use crate::terminal::{Style, say};

/// Write the verifier as a page that judges what is dropped on it, offline
///
/// One HTML file with all of it inside, which loads nothing and sends nothing. It has the same bytes from every vial that was built
/// of the same sources, so that a page of somebody else can be compared with one's own. `vial verify --html FILE` writes one that
/// holds what was judged.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the page goes; it appears when it is whole.
    file: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    write(&args.file, &Question::default())
}

/// Writes a page that asks a question.
pub(crate) fn write(path: &Path, question: &Question) -> Result<(), Failure> {
    let hint = "run `cargo xtask guest`, then build vial again";
    let page = vial_page::page(question).map_err(|error| Failure::new(error.to_string(), hint))?;
    publish(path, &page)?;
    say(&format!("{} {} ({} bytes)", Style::Good.paint("page"), path.display(), page.len()));
    Ok(())
}
