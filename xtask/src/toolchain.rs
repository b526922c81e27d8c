//! Which compiler builds freestanding programs.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Target of ring 0: no operating system, no vector registers.
pub(crate) const RING_0: &str = "x86_64-unknown-none";
/// Target of ring 3: vector registers; nothing of Linux is used.
pub(crate) const RING_3: &str = "x86_64-unknown-linux-gnu";

/// Target of the verifier in a page.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/core";

/// A way to build one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The toolchain that builds this workspace has the target's libraries.
    Installed {
        /// Its folder.
        sysroot: PathBuf,
    },
    /// Debian's compiler builds the libraries from its sources, with our toolchain's linker.
    FromSources {
        /// Folder of our toolchain.
        sysroot: PathBuf,
    },
}

impl Toolchain {
    /// Finds a way to build `target`.
    pub(crate) fn for_target(target: &str) -> Result<Self> {
        let sysroot = sysroot()?;
        if sysroot.join("lib/rustlib").join(target).join("lib").is_dir() {
            return Ok(Self::Installed { sysroot });
        }
        if Path::new(DEBIAN_RUSTC).exists() && Path::new(DEBIAN_SOURCES).exists() {
            return Ok(Self::FromSources { sysroot });
        }
        bail!("target {target}: no libraries found; run `cargo xtask setup`, or `rustup target add {target}`")
    }

    /// Prepares a verb of cargo, as `build`, for `target`.
    pub(crate) fn cargo(&self, verb: &str, target: &str, target_dir: &Path, flags: &[String]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let mut flags = flags.to_vec();
        cargo.args([verb, "--release", "--target", target, "--target-dir"]).arg(target_dir);
        if let Self::FromSources { sysroot } = self {
            let linker = sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
            flags.push(format!("-Clinker={}", linker.display()));
            cargo.args(libraries(target));
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTC_WRAPPER");
        cargo
    }

    /// Folder whose name must not reach the programs.
    pub(crate) fn sysroot(&self) -> &Path {
        let (Self::Installed { sysroot } | Self::FromSources { sysroot }) = self;
        sysroot
    }
}

/// What is built of the libraries: pages have a std that does nothing, bare machines have none.
fn libraries(target: &str) -> &'static [&'static str] {
    match target {
        WASM => &["-Zbuild-std=std,panic_abort"],
        _ => &["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"],
    }
}

fn sysroot() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("run rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc --print sysroot")?;
    Ok(PathBuf::from(text.trim_end()))
}
