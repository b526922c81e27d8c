//! Dependencies point one way: contract, pure, unsafe rim, machines, binaries, tests.

use crate::package::Package;
use crate::{Finding, finding};

/// How far a package stands from the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// What all sides agree on.
    Contract,
    /// No clock, file, thread or global.
    Pure,
    /// Where the unsafe code lives.
    Rim,
    /// What joins rim and pure crates.
    Machine,
    /// What people start.
    Binary,
    /// What tests all of it.
    Test,
}

/// The layer of each folder; one that is missing here is a finding.
const LAYERS: &[(&str, Layer)] = &[
    ("guest/abi", Layer::Contract),
    ("firmware/weights", Layer::Pure),
    ("guest/tensor", Layer::Pure),
    ("guest/grammar", Layer::Pure),
    ("guest/model", Layer::Pure),
    ("guest/channel", Layer::Pure),
    ("guest/receipt", Layer::Pure),
    ("guest/snp", Layer::Pure),
    ("guest/tdx", Layer::Pure),
    ("guest/net", Layer::Pure),
    ("guest/agent", Layer::Pure),
    ("guest/plan", Layer::Pure),
    ("host/devices", Layer::Pure),
    ("host/attest", Layer::Pure),
    ("host/page", Layer::Pure),
    ("host/snp", Layer::Pure),
    ("host/tdx", Layer::Pure),
    ("image/disk", Layer::Pure),
    ("measurements/launch", Layer::Pure),
    ("guest/hal", Layer::Rim),
    ("guest/user", Layer::Rim),
    ("host/kvm", Layer::Rim),
    ("host/wasm", Layer::Rim),
    ("guest/kernel", Layer::Machine),
    ("guest/engine", Layer::Machine),
    ("firmware/boot", Layer::Machine),
    ("firmware/rom", Layer::Machine),
    ("host/client", Layer::Machine),
    ("host/gateway", Layer::Machine),
    ("host/vmm", Layer::Machine),
    ("host/local", Layer::Machine),
    ("image/builder", Layer::Machine),
    ("host/cli", Layer::Binary),
    ("qemu-tests/guests", Layer::Test),
    ("qemu-tests/runner", Layer::Test),
    ("tidy", Layer::Test),
    ("xtask", Layer::Test),
];

/// What runs in the guest, and what never may be part of it.
const GUEST: [&str; 2] = ["guest/", "firmware/"];
const HOST: [&str; 2] = ["host/", "image/"];
/// Guest crates that make no sense outside the guest.
const GUEST_ONLY: [&str; 4] = ["guest/hal", "guest/kernel", "guest/user", "guest/engine"];

/// Edges that point the wrong way, and packages without a layer.
#[must_use]
pub fn findings(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(|package| of_package(package, packages)).collect()
}

/// The layer of a folder.
#[must_use]
pub fn layer(folder: &str) -> Option<Layer> {
    LAYERS.iter().find(|(known, _)| *known == folder).map(|&(_, layer)| layer)
}

fn of_package(package: &Package, all: &[Package]) -> Vec<Finding> {
    let Some(own) = layer(&package.folder) else {
        return vec![finding(
            &package.folder,
            "found no layer, expected a line in tidy/src/edge.rs".to_owned(),
        )];
    };
    let ours = all.iter().filter(|other| package.dependencies.contains(&other.name));
    let wrong = ours.filter(|other| is_wrong(own, &package.folder, &other.folder));
    wrong
        .map(|other| {
            finding(&package.folder, format!("found a dependency on {}, expected none", other.folder))
        })
        .collect()
}

fn is_wrong(own: Layer, from: &str, to: &str) -> bool {
    let is_upward = layer(to).is_some_and(|layer| layer > own);
    let leaves_guest = starts(from, &GUEST) && starts(to, &HOST);
    let enters_guest = starts(from, &HOST) && GUEST_ONLY.contains(&to);
    is_upward || leaves_guest || enters_guest
}

fn starts(folder: &str, with: &[&str]) -> bool {
    with.iter().any(|start| folder.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies.iter().map(|&name| name.to_owned()).collect();
        Package { name: folder.to_owned(), folder: folder.to_owned(), dependencies }
    }

    fn count(from: &str, to: &str) -> usize {
        findings(&[package(from, &[to]), package(to, &[])]).len()
    }

    #[test]
    fn edges_towards_the_contract_are_accepted() {
        assert_eq!(count("guest/model", "guest/abi"), 0);
        assert_eq!(count("host/cli", "host/vmm"), 0);
    }

    #[test]
    fn edges_away_from_it_are_refused() {
        assert_eq!(count("guest/abi", "guest/model"), 1);
        assert_eq!(count("host/devices", "host/kvm"), 1);
    }

    #[test]
    fn the_guest_never_uses_the_host_nor_the_host_what_is_the_guests_own() {
        assert_eq!(count("guest/engine", "host/attest"), 1);
        assert_eq!(count("image/builder", "guest/user"), 1);
    }

    #[test]
    fn a_package_without_a_layer_is_refused() {
        assert_eq!(findings(&[package("guest/new", &[])]).len(), 1);
    }
}
