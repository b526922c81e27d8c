//! Boots the ring-0 self-test, one machine a case.

use crate::guest::Builder;
use crate::image::{Image, Segment};
use crate::toolchain::RING_0;
use anyhow::{Context as _, Result, ensure};
use core::time::Duration;
use elf::abi::PT_LOAD;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use vial_abi::LaunchPage;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::memory::LAUNCH_PAGE_PA;
use vial_abi::report::ReportResponse;
use vial_guests::case::{Case, REPORT};

const PATIENCE: Duration = Duration::from_secs(30);

/// A machine that QEMU makes.
#[derive(Clone, Copy, Debug)]
struct Host {
    name: &'static str,
    accelerator: &'static str,
    cpu: &'static str,
    memory_mib: u64,
}

/// The processor of today, one without x2APIC, deadline timer, 1 GiB pages, AVX and SMEP but with memory above the
/// device hole, and the real one.
const HOSTS: [Host; 3] = [
    Host { name: "tcg", accelerator: "tcg", cpu: "max", memory_mib: 128 },
    Host { name: "tcg old", accelerator: "tcg", cpu: "qemu64", memory_mib: 4096 },
    Host { name: "kvm", accelerator: "kvm", cpu: "max,-arch-capabilities", memory_mib: 128 },
];

/// Which machines and cases.
#[derive(Default, clap::Args)]
pub(crate) struct Options {
    /// Emulate only, also where /dev/kvm is there.
    #[arg(long)]
    no_kvm: bool,
    /// Run only cases whose text contains this.
    #[arg(default_value = "")]
    filter: String,
    /// Print what the machines print.
    #[arg(long)]
    verbose: bool,
}

/// Builds the self-test and runs every case.
pub(crate) fn run(options: &Options) -> Result<()> {
    let image = build(&Builder::new()?)?;
    let has_kvm = Path::new("/dev/kvm").exists() && !options.no_kvm;
    let mut failures = 0;
    for host in HOSTS.iter().filter(|host| has_kvm || host.accelerator != "kvm") {
        for &case in Case::ALL.iter().filter(|case| case.text().contains(&options.filter)) {
            failures += u32::from(!passes(&image, case, host, options.verbose)?);
        }
    }
    ensure!(failures == 0, "{failures} self-test cases failed");
    Ok(())
}

fn build(builder: &Builder) -> Result<Image> {
    builder.cargo(RING_0, &["vial-rom", "vial-kernel"])?;
    builder.cargo(RING_0, &["vial-guests"])?;
    let kernel = builder.write("self-test-kernel.elf", &builder.program(RING_0, "vial-kernel")?.encode())?;
    let engine = builder.program(RING_0, "self-test-engine")?.encode();
    let engine = builder.write("self-test-engine.elf", &engine)?;
    let env = [("VIAL_SELF_TEST_KERNEL", &*kernel), ("VIAL_SELF_TEST_ENGINE", &*engine)];
    builder.cargo_with(RING_0, &[("vial-guests", "boot")], &env)?;
    Ok(builder.program(RING_0, "vial-rom")?.merged_with(builder.program(RING_0, "self-test-boot")?))
}

fn passes(image: &Image, case: Case, host: &Host, is_verbose: bool) -> Result<bool> {
    let folder = Folder::new(case)?;
    let firmware = folder.0.join("firmware.elf");
    std::fs::write(&firmware, with_launch_page(image.clone(), case, host).encode())?;
    let tee = folder.0.join("tee");
    let listener = UnixListener::bind(&tee)?;
    std::thread::spawn(move || answer_reports(&listener));
    let started = Instant::now();
    let (found, console) = boot(&firmware, &tee, host)?;
    let passed = found == Some(i32::from(case.expected())) && console.contains(case.console());
    let word = if passed { "ok" } else { "FAILED" };
    println!("{word:<6} {:<8} {:>5} ms  {}", host.name, started.elapsed().as_millis(), case.text());
    if !passed {
        println!("       exit code: found {found:?}, expected {} and {:?}", case.expected(), case.console());
    }
    if is_verbose || !passed {
        print!("{console}");
    }
    Ok(passed)
}

/// The launch page is part of the start state; here it is one more segment.
fn with_launch_page(image: Image, case: Case, host: &Host) -> Image {
    let mut manifest_digest = [0; 48];
    manifest_digest[0] = case.number();
    let page = LaunchPage {
        manifest_digest,
        memory_bytes: host.memory_mib << 20,
        cpus: 2,
        tee: Tee::Simulated,
        machine: Machine::Qemu,
        measure: Measure::Nodes,
        kv: Kv::F16,
    };
    let bytes = page.encode().to_vec();
    let (va, pa) = (LAUNCH_PAGE_PA, LAUNCH_PAGE_PA);
    let segment = Segment { kind: PT_LOAD, flags: 6, va, pa, memory_bytes: 4096, bytes };
    image.merged_with(Image { entry: 0, segments: vec![segment] })
}

/// Runs QEMU to its end: exit code of the guest (none if it had to be stopped) and console.
fn boot(firmware: &Path, tee: &Path, host: &Host) -> Result<(Option<i32>, String)> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-M", "microvm,ioapic2=off,pit=off,pic=off,rtc=off,isa-serial=on", "-smp", "2", "-m"]);
    qemu.args([&host.memory_mib.to_string(), "-accel", host.accelerator, "-cpu", host.cpu]);
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"]);
    qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    qemu.arg("-chardev").arg(format!("socket,id=tee,path={}", tee.display()));
    qemu.args(["-device", "isa-serial,iobase=0x2f8,irq=3,chardev=tee", "-kernel"]).arg(firmware);
    let mut child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| anyhow::anyhow!("run qemu-system-x86_64: {error}"))?;
    let code = wait(child)?;
    let mut console = String::new();
    child.stdout.take().context("no console")?.read_to_string(&mut console)?;
    child.stderr.take().context("no messages")?.read_to_string(&mut console)?;
    // isa-debug-exit: twice the value, plus one.
    Ok((code.filter(|code| code & 1 == 1).map(|code| code / 2), console))
}

fn wait(child: &mut std::process::Child) -> Result<Option<i32>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Plays the host's part of the TEE: 64 bytes in, length and response out.
fn answer_reports(listener: &UnixListener) -> Result<()> {
    let (mut line, _) = listener.accept()?;
    let mut report_data = [0; 64];
    while line.read_exact(&mut report_data).is_ok() {
        let header = ReportResponse::header(u32::try_from(REPORT.len())?, 0);
        let length = u32::try_from(header.len() + REPORT.len())?;
        line.write_all(&[&length.to_le_bytes(), &header[..], REPORT].concat())?;
    }
    Ok(())
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(case: Case) -> Result<Self> {
        let name = format!("vial-self-test-{}-{}", std::process::id(), case.number());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
