//! Files of evidence and collateral.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Longest file that is read.
const MOST: u64 = 4 << 20;

/// A file's bytes.
pub(super) fn read(path: &Path, hint: &str) -> Result<Vec<u8>, Failure> {
    let failed = |what: String| Failure::new(format!("{}: {what}", path.display()), hint);
    let bytes = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if bytes > MOST {
        return Err(failed(format!("found {bytes} bytes, expected at most {MOST}")));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

/// Certificates of PEM or DER files.
pub(super) fn certificates(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let hint = "a certificate in PEM or DER, as https://kdsintf.amd.com gives it";
        let bytes = read(path, hint)?;
        match core::str::from_utf8(&bytes).ok().filter(|text| text.contains("-----BEGIN")) {
            Some(text) => all.extend(vial_attest::pem_documents(text).map_err(|error| {
                Failure::new(format!("{}: {error}, expected PEM certificates", path.display()), hint)
            })?),
            None => all.push(bytes),
        }
    }
    Ok(all)
}
