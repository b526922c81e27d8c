//! Embeds the verifier that `cargo xtask guest` built, where it is there.

use std::path::PathBuf;

fn main() {
    let own = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = own.join("../../target/guest");
    let path = folder.join("verifier.wasm");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed={}", path.display());
    let value = if path.is_file() {
        format!("Some(include_bytes!({:?}))", path.display().to_string())
    } else {
        "None".to_owned()
    };
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs");
    let source = format!("static VERIFIER: Option<&[u8]> = {value};\n");
    if let Err(error) = std::fs::write(&out, source) {
        println!("cargo::error=write {}: {error}", out.display());
    }
}
