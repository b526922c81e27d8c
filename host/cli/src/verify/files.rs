//! Files of evidence and collateral.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use vial_attest::Hexed;

use crate::failure::Failure;

/// Longest file that is read.
const MOST: u64 = 4 << 20;

/// A file's bytes.
pub(crate) fn read(path: &Path, hint: &str) -> Result<Vec<u8>, Failure> {
    let failed = |what: String| Failure::new(format!("{}: {what}", path.display()), hint);
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    // A length that is told beforehand is nothing for pipes and devices.
    let read = file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if read as u64 > MOST {
        return Err(failed(format!("found more than {MOST} bytes, expected at most that many")));
    }
    Ok(bytes)
}

/// A file's text. Bytes that are none become marks that no form has.
pub(super) fn text(path: &Path, hint: &str) -> Result<String, Failure> {
    Ok(String::from_utf8_lossy(&read(path, hint)?).into_owned())
}

/// A file's bytes, for a question.
pub(super) fn hexed(path: &Path, hint: &str) -> Result<Hexed, Failure> {
    read(path, hint).map(Hexed)
}

/// Certificates of PEM or DER files.
pub(super) fn certificates(paths: &[PathBuf]) -> Result<Vec<Hexed>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let hint = "a certificate in PEM or DER, as https://kdsintf.amd.com gives it";
        let bytes = read(path, hint)?;
        match core::str::from_utf8(&bytes).ok().filter(|text| text.contains("-----BEGIN")) {
            Some(text) => all.extend(
                vial_attest::pem_documents(text)
                    .map_err(|error| {
                        Failure::new(format!("{}: {error}, expected PEM certificates", path.display()), hint)
                    })?
                    .into_iter()
                    .map(Hexed),
            ),
            None => all.push(Hexed(bytes)),
        }
    }
    Ok(all)
}
