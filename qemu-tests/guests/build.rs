//! Gives each freestanding program its linker script.

fn main() {
    println!("cargo::rerun-if-changed=boot.ld");
    println!("cargo::rerun-if-changed=engine.ld");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for (feature, program) in [("BOOT", "boot"), ("FREESTANDING", "engine")] {
        if std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some() {
            println!("cargo::rustc-link-arg-bin=self-test-{program}=-T{folder}/{program}.ld");
        }
    }
}
