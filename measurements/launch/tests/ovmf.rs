//! Launches of OVMF: by crate `sev`, and as AMD signed one.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use sev::measurement::snp::{SnpMeasurementArgs, snp_calc_launch_digest};
use sev::measurement::vcpu_types::CpuType;
use sev::measurement::vmsa::{GuestFeatures, VMMType};
use vial_launch::Chain;
use vial_launch::ovmf::{KernelHashes, Kind, OvmfError, OvmfLaunch, OvmfTable, Section, Vmm};

/// CPUID of the model `EPYC-v4`.
const EPYC_V4: u32 = 0x0080_0F12;
/// SHA-256 of nothing.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The end of a genuine firmware, which ships in the sources of crate `sev`.
fn firmware(name: &str) -> PathBuf {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package =
        metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "sev").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("tests/measurement").join(name)
}

#[test]
fn launches_of_ovmf_have_the_digests_of_an_independent_crate() {
    for (vmm, their_vmm) in [(Vmm::Qemu, VMMType::QEMU), (Vmm::Ec2, VMMType::EC2)] {
        for (cpus, features, cmdline) in [(1, 1, None), (2, 0x21, Some("console=ttyS0")), (64, 1, Some(""))] {
            let path = firmware("ovmf_AmdSev_suffix.bin");
            let bytes = std::fs::read(&path).unwrap();
            let theirs = snp_calc_launch_digest(SnpMeasurementArgs {
                vcpus: cpus,
                vcpu_type: CpuType::EpycV4,
                ovmf_file: path,
                guest_features: GuestFeatures(features),
                kernel_file: cmdline.map(|_| "/dev/null".into()),
                initrd_file: None,
                append: cmdline,
                ovmf_hash_str: None,
                vmm_type: Some(their_vmm),
            });
            let table = OvmfTable::parse(&bytes).unwrap();
            let kernel = cmdline.map(|cmdline| KernelHashes::new(array(NOTHING), array(NOTHING), cmdline));
            let launch = OvmfLaunch { table: &table, kernel, cpus, signature: EPYC_V4, features, vmm };
            let ours = launch.digest(Chain::default().normal(OvmfTable::gpa(&bytes), &bytes)).unwrap();
            assert_eq!(hex(&ours), theirs.unwrap().get_hex_ld(), "{vmm:?} {cpus} {features} {cmdline:?}");
        }
    }
}

#[test]
fn a_kernel_needs_firmware_that_has_a_page_for_its_digests() {
    let bytes = std::fs::read(firmware("ovmf_OvmfX64_suffix.bin")).unwrap();
    let table = OvmfTable::parse(&bytes).unwrap();
    assert!(table.sections.iter().all(|section| section.kind != Kind::KernelHashes));
    let launch = |kernel| OvmfLaunch {
        table: &table,
        kernel,
        cpus: 1,
        signature: EPYC_V4,
        features: 1,
        vmm: Vmm::Qemu,
    };
    let kernel = KernelHashes::new([0; 32], [0; 32], "");
    let missing = OvmfError { field: "section of kernel hashes" };
    assert_eq!(launch(Some(kernel)).digest(Chain::default()), Err(missing));
    assert_eq!(launch(None).digest(Chain::default()).map(|digest| digest.len()), Ok(48));
}

#[test]
fn tables_that_are_cut_or_changed_are_refused_by_field() {
    let bytes = std::fs::read(firmware("ovmf_AmdSev_suffix.bin")).unwrap();
    let whole = OvmfTable::parse(&bytes).unwrap();
    let field = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = bytes.clone();
        change(&mut changed);
        OvmfTable::parse(&changed).map_err(|error| error.field).unwrap_err()
    };
    let end = bytes.len();
    assert_eq!(field(&|it| it.truncate(20)), "table");
    assert_eq!(field(&|it| it[end - 33] ^= 1), "footer");
    assert_eq!(field(&|it| it[end - 49] ^= 0x40), "table", "the table's length");
    let metadata = bytes.windows(4).position(|window| window == b"ASEV").unwrap();
    for at in [0, 4, 8, 12] {
        assert_eq!(field(&|it| it[metadata + at] ^= 1), "metadata", "{at}");
    }
    assert_eq!(field(&|it| it[metadata + 16 + 8] = 9), "kind of a section");
    for at in 0..end {
        // Whatever a byte is changed to, the result is a table or a named field.
        let mut changed = bytes.clone();
        changed[at] ^= 0xFF;
        let _any = OvmfTable::parse(&changed).map(|table| table == whole);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what is skipped is said")]
fn the_digest_of_a_recorded_launch_is_the_measurement_that_amd_signed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence/snp/milan-dstack");
    let (Ok(inputs), Ok(report)) =
        (std::fs::read(folder.join("launch-inputs.json")), std::fs::read(folder.join("report.bin")))
    else {
        println!("skipped: no recording of milan-dstack");
        return;
    };
    let inputs: Value = serde_json::from_slice(&inputs).unwrap();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let text = |name: &str| inputs[name].as_str().unwrap();
    let sections = inputs["ovmf_sections"].as_array().unwrap().iter();
    let sections = sections
        .map(|one| Section::new(number(&one["gpa"]), number(&one["size"]), number(&one["type"])).unwrap());
    let table = OvmfTable {
        sections: sections.collect(),
        hashes_gpa: Some(number(&inputs["hashes_table_gpa"])),
        reset_eip: number(&inputs["reset_eip"]),
    };
    let kernel = KernelHashes::new(array(text("kernel_hash")), array(text("initrd_hash")), text("cmdline"));
    assert_eq!(text("vcpu_type"), "EPYC-v4");
    let launch = |cpus, kernel| OvmfLaunch {
        table: &table,
        kernel: Some(kernel),
        cpus,
        signature: EPYC_V4,
        features: inputs["guest_features"].as_u64().unwrap(),
        vmm: Vmm::Qemu,
    };
    let firmware = Chain::after(array(text("ovmf_hash")));
    let cpus = number(&inputs["vcpus"]);
    assert_eq!(hex(&launch(cpus, kernel).digest(firmware).unwrap()), hex(&report[0x90..0xC0]));
    // Any other input is another measurement.
    let others = [
        launch(cpus + 1, kernel),
        launch(cpus, KernelHashes { kernel: [0; 32], ..kernel }),
        launch(cpus, KernelHashes { initrd: [0; 32], ..kernel }),
        launch(cpus, KernelHashes::new(kernel.kernel, kernel.initrd, "quiet")),
    ];
    for other in &others {
        assert_ne!(other.digest(firmware).unwrap(), report[0x90..0xC0]);
    }
}
