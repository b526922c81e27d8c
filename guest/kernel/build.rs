//! Gives the linker script to the freestanding program.

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    if std::env::var_os("CARGO_FEATURE_FREESTANDING").is_some() {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-T{folder}/link.ld");
    }
}
