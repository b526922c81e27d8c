//! The same machine under QEMU's microvm, for hosts without KVM of our own.
//!
//! QEMU loads one ELF file made of the load plan and nothing else. Marks and console lines arrive over its devices; the
//! simulated TEE answers on its second serial port.

use core::net::SocketAddr;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use vial_abi::{ExitCode, Mark, port};
use vial_launch::LoadPlan;

use crate::console::printable;
use crate::event::{Ended, Event};
use crate::start::{Host, StartError, Vmm, system};
use crate::tee::{ReportDevice, response};
use crate::{elf, folder::Folder};

const PROGRAM: &str = "qemu-system-x86_64";

/// What to start under QEMU.
pub struct QemuConfig {
    /// What is loaded; its launch page names QEMU's devices.
    pub plan: LoadPlan,
    /// Memory in bytes, as in the plan's launch page.
    pub memory_bytes: u64,
    /// The image.
    pub disk: PathBuf,
    /// Where clients connect; free when QEMU starts.
    pub address: SocketAddr,
    /// The simulated TEE.
    pub tee: Box<dyn ReportDevice>,
}

impl core::fmt::Debug for QemuConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QemuConfig").field("disk", &self.disk).finish_non_exhaustive()
    }
}

/// A QEMU that ends with its owner.
#[derive(Debug)]
pub(crate) struct Qemu {
    child: Arc<Mutex<Child>>,
    _folder: Folder,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // One that has ended already needs no signal.
        let _ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

impl Vmm {
    /// Starts the machine under QEMU: on KVM where that may be used, else emulated.
    ///
    /// # Errors
    /// What the system refused; QEMU is not installed.
    pub fn start_qemu(config: QemuConfig) -> Result<Self, StartError> {
        let started = Instant::now();
        let folder = Folder::new().map_err(system("temporary folder"))?;
        let firmware = folder.path().join("firmware.elf");
        std::fs::write(&firmware, elf::encode(&config.plan)).map_err(system("temporary file"))?;
        let tee = UnixListener::bind(folder.path().join("tee")).map_err(system("socket"))?;
        let marks = UnixListener::bind(folder.path().join("marks")).map_err(system("socket"))?;
        let mut command = Command::new(PROGRAM);
        command.args(arguments(&config, folder.path(), &firmware));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(system(PROGRAM))?;
        let (sender, events) = channel();
        let device = config.tee;
        std::thread::spawn(move || answer_reports(&tee, device));
        let told = sender.clone();
        std::thread::spawn(move || tell_marks(&marks, started, &told));
        let (out, complaints) = (child.stdout.take(), child.stderr.take());
        let child = Arc::new(Mutex::new(child));
        let (told, ending) = (sender.clone(), Arc::clone(&child));
        std::thread::spawn(move || {
            out.into_iter().for_each(|out| tell_lines(BufReader::new(out), &told));
            let mut complaint = String::new();
            let _lost = complaints.map(|mut from| from.read_to_string(&mut complaint));
            // Nobody listens when the process ends.
            let _gone = told.send(Event::Ended(ended(&ending, &complaint)));
        });
        let host = Host::Qemu { _process: Qemu { child, _folder: folder } };
        Ok(Self::of(events, sender, config.address, host))
    }
}

fn arguments(config: &QemuConfig, folder: &Path, firmware: &Path) -> Vec<OsString> {
    let has_kvm = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    let (accelerator, cpu) = if has_kvm { ("kvm", "max,-arch-capabilities") } else { ("tcg", "max") };
    let (cpus, memory) = (config.plan.cpus().to_string(), format!("{}M", config.memory_bytes >> 20));
    let (tee, marks) = (folder.join("tee"), folder.join("marks"));
    let (exit, mark, second) = (port::EXIT, port::MARK, port::SERIAL_TEE);
    let network = format!("user,id=net,restrict=on,hostfwd=tcp:{}-:443", config.address);
    let mut all: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| all.extend(words.iter().map(OsString::from));
    add(&[
        "-M",
        "microvm,acpi=off,ioapic2=off,pit=off,pic=off,rtc=off,isa-serial=on",
        "-accel",
        accelerator,
        "-cpu",
        cpu,
    ]);
    add(&["-smp", &cpus, "-m", &memory, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    add(&["-serial", "stdio", "-global", "virtio-mmio.force-legacy=off", "-kernel", &text(firmware)]);
    add(&["-device", &format!("isa-debug-exit,iobase={exit:#x},iosize=4")]);
    add(&["-chardev", &format!("socket,id=marks,path={}", text(&marks))]);
    add(&["-device", &format!("isa-debugcon,iobase={mark:#x},chardev=marks")]);
    add(&["-chardev", &format!("socket,id=tee,path={}", text(&tee))]);
    add(&["-device", &format!("isa-serial,iobase={second:#x},irq=3,chardev=tee")]);
    add(&["-drive", &format!("if=none,id=disk,format=raw,readonly=on,file={}", text(&config.disk))]);
    add(&["-device", "virtio-blk-device,drive=disk", "-netdev", &network]);
    add(&["-device", "virtio-net-device,netdev=net", "-device", "virtio-rng-device"]);
    all
}

/// A path as QEMU's options have it: commas twice.
fn text(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// Plays the host's part of the TEE: 64 bytes in, length and response out.
fn answer_reports(listener: &UnixListener, mut device: Box<dyn ReportDevice>) -> Option<()> {
    let mut line = accept(listener)?;
    let mut report_data = [0; 64];
    while line.read_exact(&mut report_data).is_ok() {
        let response = response(device.as_mut(), &report_data);
        let length = u32::try_from(response.len()).ok()?;
        line.write_all(&[&length.to_le_bytes(), &response[..]].concat()).ok()?;
    }
    Some(())
}

fn tell_marks(listener: &UnixListener, started: Instant, events: &Sender<Event>) -> Option<()> {
    for byte in BufReader::new(accept(listener)?).bytes() {
        let Some(mark) = Mark::from_value(byte.ok()?) else { continue };
        events.send(Event::Mark(mark, started.elapsed())).ok()?;
    }
    Some(())
}

fn accept(listener: &UnixListener) -> Option<UnixStream> {
    listener.accept().ok().map(|(stream, _)| stream)
}

fn tell_lines(from: impl BufRead, events: &Sender<Event>) {
    for line in from.split(b'\n').map_while(Result::ok) {
        let line = printable(line.trim_ascii_end());
        if events.send(Event::Console(line)).is_err() {
            return;
        }
    }
}

/// Why QEMU ended: its debug exit gives twice the appliance's code, plus one.
fn ended(child: &Mutex<Child>, complaint: &str) -> Ended {
    let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    let code = status.as_ref().ok().and_then(std::process::ExitStatus::code);
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(code) if code % 2 == 1 && complaint.is_empty() => {
            ExitCode::from_value(code / 2).map_or(Ended::Unknown(code / 2), Ended::Exit)
        }
        Some(0) => Ended::Exit(ExitCode::Stopped),
        _ => Ended::Broken(format!("QEMU: {}", complaint.lines().last().unwrap_or("ended by a signal"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_path_is_no_separator() {
        assert_eq!(text(Path::new("images/a,b")), "images/a,,b");
    }

    #[test]
    fn qemus_end_is_the_appliances() {
        for (status, complaint, expected) in [
            ("73", "", Ended::Exit(ExitCode::ManifestDigest)),
            ("0", "", Ended::Exit(ExitCode::Stopped)),
            ("1", "no such machine\n", Ended::Broken("QEMU: no such machine".to_owned())),
        ] {
            let child = Command::new("sh").args(["-c", &format!("exit {status}")]).spawn().unwrap();
            assert_eq!(ended(&Mutex::new(child), complaint), expected);
        }
    }
}
