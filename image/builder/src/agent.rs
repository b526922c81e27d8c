//! The agent's folder as a bundle.

use std::path::Path;
use vial_agent::Agent;
use vial_weights::bundle::{self, File};
use vial_weights::header::Part;

use crate::ImageError;

/// The agent's folder as a blob, checked as the engine would.
pub(crate) fn bundle(folder: Option<&Path>) -> Result<Vec<u8>, ImageError> {
    let mut files = Vec::new();
    if let Some(folder) = folder {
        collect(folder, folder, &mut files)?;
    }
    let path = folder.unwrap_or(Path::new("")).to_owned();
    let refused = |what: String| ImageError::Agent { path: path.clone(), what };
    let blob = bundle::encode(files).map_err(|error| refused(error.to_string()))?;
    if blob.len() as u64 > Part::Bundle.max_bytes() {
        let what = format!("found {} bytes, expected at most {}", blob.len(), Part::Bundle.max_bytes());
        return Err(refused(what));
    }
    Agent::from_bundle(&blob).map_err(|error| refused(error.to_string()))?;
    Ok(blob)
}

/// Adds every file below `folder`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<(), ImageError> {
    let read = |path: &Path, error| ImageError::Read { path: path.to_owned(), error };
    for entry in std::fs::read_dir(folder).map_err(|error| read(folder, error))? {
        let path = entry.map_err(|error| read(folder, error))?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
        let what = "found a name that is not UTF-8".to_owned();
        let name = name.ok_or(ImageError::Agent { path: path.clone(), what })?;
        let bytes = std::fs::read(&path).map_err(|error| read(&path, error))?;
        files.push(File { path: name, bytes });
    }
    Ok(())
}
