//! Files that appear whole or not at all.

use std::io::Write as _;
use std::path::Path;

use crate::failure::Failure;

/// Writes a file that everybody may read.
pub(crate) fn publish(path: &Path, text: &str) -> Result<(), Failure> {
    let hint = "check that the folder exists, is writable and has room";
    published(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))
}

/// Writes beside it and renames, so that nobody sees half of it.
fn published(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".vial-").suffix(".part").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}
