//! Gives the freestanding program its linker script.

fn main() {
    let script = "../../guest/user/engine.ld";
    println!("cargo::rerun-if-changed={script}");
    if std::env::var_os("CARGO_FEATURE_FREESTANDING").is_some() {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        for argument in
            [&format!("-T{folder}/{script}"), "-nostartfiles", "-nostdlib", "-static", "-Wl,--build-id=none"]
        {
            println!("cargo::rustc-link-arg-bin=vial-engine={argument}");
        }
    }
}
