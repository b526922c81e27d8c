//! `vial key`: publisher keys, and keys of encrypted weights.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use vial_weights::cipher::OwnerKey;
use vial_weights::signature::PublisherKey;
use vial_weights::tree::Hex;

use crate::failure::Failure;
use crate::terminal::print;
use zeroize::Zeroizing;

/// First line of a key file, so that nobody mistakes it for something else.
const HEADING: &str = "vial publisher key (Ed25519, secret)";

/// The same of the other kind.
const WEIGHTS_HEADING: &str = "vial weights key (AES-256, secret)";

/// Make publisher keys, and keys of encrypted weights.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a new secret key, readable by you alone, and print its public half if it has one.
    New {
        /// Where it goes; never overwritten.
        file: PathBuf,
        /// Make a key that encrypts weights (`vial build --encrypt`, `vial unlock --key`) instead. Whoever has it reads them; without it
        /// nobody does.
        #[arg(long)]
        weights: bool,
    },
    /// Print the public half of a key.
    Public {
        /// The key.
        file: PathBuf,
    },
}

/// Wiped when it is dropped.
type Secret = Zeroizing<[u8; 32]>;

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let key = match &args.command {
        Command::New { file, weights: true } => return create(file, WEIGHTS_HEADING).map(drop),
        Command::New { file, weights: false } => PublisherKey::from_secret(&*create(file, HEADING)?),
        Command::Public { file } => read(file)?,
    };
    print(&Hex(&key.public()).to_string());
    Ok(())
}

fn create(path: &Path, heading: &str) -> Result<Secret, Failure> {
    let mut secret = Secret::default();
    let failed = |error: &dyn ToString| Failure::new(error.to_string(), "the system gives no randomness");
    getrandom::fill(secret.as_mut_slice()).map_err(|error| failed(&error))?;
    let hint = "name a file that does not exist yet, in a folder you can write";
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()), hint);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(Zeroizing::new(format!("{heading}\n{}\n", Hex(&*secret))).as_bytes()).map_err(failed)?;
    Ok(secret)
}

/// Reads a publisher key's file.
pub(crate) fn read(path: &Path) -> Result<PublisherKey, Failure> {
    let secret = secret(path, HEADING, "publisher", "make one with `vial key new FILE`")?;
    Ok(PublisherKey::from_secret(&secret))
}

/// Reads the file of a key that encrypts weights.
pub(crate) fn read_weights(path: &Path) -> Result<OwnerKey, Failure> {
    let secret = secret(path, WEIGHTS_HEADING, "weights", "make one with `vial key new --weights FILE`")?;
    Ok(OwnerKey::new(&secret))
}

fn secret(path: &Path, heading: &str, kind: &str, hint: &str) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))?;
    let secret = text.strip_prefix(heading).and_then(|rest| unhex(rest.trim())).map(Secret::new);
    secret.ok_or_else(|| Failure::new(format!("{}: found no {kind} key", path.display()), hint))
}

/// `N` bytes of hex, with no copy of them on the heap.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16)?).ok();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; N];
    (pairs.len() == N && rest.is_empty()).then_some(())?;
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_the_right_length_alone_is_read() {
        assert_eq!(unhex("00fFa1"), Some([0, 255, 161]));
        assert_eq!(unhex::<3>("00fFa"), None);
        assert_eq!(unhex::<3>("00fFa1a1"), None);
        assert_eq!(unhex::<1>("0g"), None);
    }
}
