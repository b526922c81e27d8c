//! Builds the measured programs, firmware, kernel and engine, and the verifier that pages hold.

use crate::image::Image;
use crate::toolchain::{RING_0, RING_3, Toolchain, WASM};
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};

/// Builds all programs and prints their sizes.
pub(crate) fn run() -> Result<()> {
    let builder = Builder::new()?;
    builder.cargo(RING_0, &["vial-rom", "vial-kernel"])?;
    builder.cargo(RING_3, &["vial-boot", "vial-engine"])?;
    let firmware = builder.program(RING_0, "vial-rom")?.merged_with(builder.program(RING_3, "vial-boot")?);
    let kernel = builder.program(RING_0, "vial-kernel")?;
    let engine = builder.program(RING_3, "vial-engine")?;
    for (name, image) in [("firmware", firmware), ("kernel", kernel), ("engine", engine)] {
        let path = builder.write(&format!("{name}.elf"), &image.encode())?;
        say(name, &path)?;
    }
    say("verifier", &builder.verifier()?)
}

fn say(name: &str, path: &Path) -> Result<()> {
    println!("{name:<9} {:>9} bytes  {}", std::fs::metadata(path)?.len(), path.display());
    Ok(())
}

/// Builds freestanding programs into `target/guest`.
#[derive(Debug)]
pub(crate) struct Builder {
    workspace: PathBuf,
}

impl Builder {
    /// A builder for the workspace that `cargo xtask` runs in.
    pub(crate) fn new() -> Result<Self> {
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask guest`")?;
        let xtask = Path::new(&xtask);
        Ok(Self { workspace: xtask.parent().context("xtask lies in the workspace")?.to_owned() })
    }

    /// Folder of the results.
    pub(crate) fn folder(&self) -> PathBuf {
        self.workspace.join("target/guest")
    }

    /// Builds programs of `packages` for `target`; cargo does nothing where nothing changed.
    pub(crate) fn cargo(&self, target: &str, packages: &[&str]) -> Result<()> {
        let features: Vec<_> = packages.iter().map(|&package| (package, "freestanding")).collect();
        self.cargo_with(target, &features, &[])
    }

    /// As [`Self::cargo`], with one feature for each package and variables for the build.
    pub(crate) fn cargo_with(
        &self,
        target: &str,
        packages: &[(&str, &str)],
        env: &[(&str, &Path)],
    ) -> Result<()> {
        let toolchain = Toolchain::for_target(target)?;
        let mut cargo = toolchain.cargo("build", target, &self.target_dir(target), &self.flags(&toolchain));
        cargo.current_dir(&self.workspace).args(["--quiet", "--bins"]).envs(env.iter().copied());
        for (package, feature) in packages {
            cargo.args(["--package", package, "--features", &format!("{package}/{feature}")]);
        }
        let status = cargo.status().context("run cargo")?;
        ensure!(status.success(), "build for {target} failed: see above");
        Ok(())
    }

    /// The verifier of pages as a module of WebAssembly, without names of functions.
    fn verifier(&self) -> Result<PathBuf> {
        let toolchain = Toolchain::for_target(WASM)?;
        let flags = [&["-Cstrip=symbols".to_owned()][..], &self.remaps(&toolchain)].concat();
        let mut cargo = toolchain.cargo("build", WASM, &self.target_dir(WASM), &flags);
        cargo.current_dir(&self.workspace).args(["--quiet", "--lib", "--package", "vial-wasm"]);
        ensure!(cargo.status().context("run cargo")?.success(), "build for {WASM} failed: see above");
        let built = self.target_dir(WASM).join(WASM).join("release/vial_wasm.wasm");
        self.write(
            "verifier.wasm",
            &std::fs::read(&built).with_context(|| format!("read {}", built.display()))?,
        )
    }

    /// A program built by [`Self::cargo`].
    pub(crate) fn program(&self, target: &str, name: &str) -> Result<Image> {
        Image::read(&self.target_dir(target).join(target).join("release").join(name))
    }

    /// Writes a result where its bytes changed, so that what depends on its time is not built again.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder().join(name);
        if std::fs::read(&path).ok().as_deref() != Some(bytes) {
            let fresh = self.folder().join(format!("{name}.new"));
            std::fs::write(&fresh, bytes).with_context(|| format!("write {}", fresh.display()))?;
            std::fs::rename(&fresh, &path).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(path)
    }

    fn target_dir(&self, target: &str) -> PathBuf {
        self.folder().join("build").join(target)
    }

    /// Compiler flags: fixed addresses, and no folder names in the programs.
    fn flags(&self, toolchain: &Toolchain) -> Vec<String> {
        let own = ["-Crelocation-model=static", "-Cstrip=debuginfo"].map(str::to_owned);
        [&own[..], &self.remaps(toolchain)].concat()
    }

    /// Flags that keep folder names out of the programs.
    fn remaps(&self, toolchain: &Toolchain) -> Vec<String> {
        let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
        let registry = cargo_home.iter().flat_map(|home| registries(home));
        let folders = registry.map(|folder| (folder, "crates"));
        let own = [(toolchain.sysroot().to_owned(), "rust"), (self.workspace.clone(), "vial")];
        let remap =
            |(folder, name): (PathBuf, &str)| format!("--remap-path-prefix={}={name}", folder.display());
        folders.chain(own).map(remap).collect()
    }
}

/// Folders of downloaded crates, whose names depend on the registry's address.
fn registries(cargo_home: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten();
    let mut folders: Vec<_> = folders.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders
}
