//! Embeds the guest programs that `cargo xtask guest` built, where they are there.

use std::path::{Path, PathBuf};

const PROGRAMS: [&str; 3] = ["firmware", "kernel", "engine"];

fn main() {
    let own = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = own.join("../../target/guest");
    println!("cargo::rerun-if-changed={}", folder.display());
    let paths = PROGRAMS.map(|name| folder.join(format!("{name}.elf")));
    paths.iter().for_each(|path| println!("cargo::rerun-if-changed={}", path.display()));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs");
    if let Err(error) = std::fs::write(&out, source(&paths)) {
        println!("cargo::error=write {}: {error}", out.display());
    }
}

fn source(paths: &[PathBuf; 3]) -> String {
    let include = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
    let value = if paths.iter().all(|path| path.is_file()) {
        format!("Some([{}])", paths.iter().map(|path| include(path)).collect::<Vec<_>>().join(", "))
    } else {
        "None".to_owned()
    };
    format!("static EMBEDDED: Option<[&[u8]; 3]> = {value};\n")
}
