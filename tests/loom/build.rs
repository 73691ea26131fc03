//! Sets `cfg(loom)` for this package alone: tokio has another meaning for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=loom");
}
