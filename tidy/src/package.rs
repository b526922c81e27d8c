//! The workspace's own packages, as `cargo metadata` tells them.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package of this workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder below the workspace, with forward slashes: `guest/abi`.
    pub folder: String,
    /// Names of the crates it is built with; those of its tests and build script are left out.
    pub dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    kind: Option<String>,
}

/// All packages of the workspace at `root`.
///
/// # Errors
/// Cargo does not run or prints something else than metadata.
pub fn read(root: &Path) -> Result<Vec<Package>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(root);
    let output = cargo.output().context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let root = metadata.workspace_root;
    metadata.packages.into_iter().map(|package| package.placed_in(&root)).collect()
}

impl MetadataPackage {
    fn placed_in(self, root: &Path) -> Result<Package> {
        let folder = self.manifest_path.parent().context("a manifest has a folder")?.strip_prefix(root)?;
        let built_with = self.dependencies.into_iter().filter(|dependency| dependency.kind.is_none());
        Ok(Package {
            name: self.name,
            folder: folder.to_str().context("folder: expected UTF-8")?.to_owned(),
            dependencies: built_with.map(|dependency| dependency.name).collect(),
        })
    }
}
