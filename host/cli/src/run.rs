//! `vial run`: boots an image as an appliance.

use core::net::SocketAddr;
use serde::Serialize;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vial_abi::launch_page::Kv;
use vial_abi::{ExitCode, Mark};
use vial_attest::host_data;
use vial_attest::simulated::SimulatedTee;
use vial_image::SealedImage;
use vial_launch::LoadPlan;
use vial_vmm::{Config, Ended, Event, FileDisk, QemuConfig, ReportDevice, StartError, Vmm};

use crate::failure::Failure;
use crate::shape::{Shape, TeeArg, VmmArg};
use crate::snp::SnpArgs;
use crate::terminal::{Style, json, print, say};
use crate::timeline::Timeline;

/// Boot an image as an appliance and serve until it is stopped.
///
/// Clients speak HTTPS with it, whose other end is the appliance: this host passes on what it cannot read. `vial connect` verifies
/// it and gives clients a plain local address.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image.
    image: PathBuf,
    #[command(flatten)]
    shape: Shape,
    /// Where clients connect; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    publish: SocketAddr,
    #[command(flatten)]
    snp: SnpArgs,
    /// Read the image through the host's page cache, which holds what is read again where the host has memory to spare.
    #[arg(long)]
    cache: bool,
    /// Print events as JSON, one a line.
    #[arg(long)]
    json: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// A stage was reached.
    Mark { name: &'a str, microseconds: u128 },
    /// Requests are accepted.
    Ready {
        address: String,
        kv: &'a str,
        /// Its weights are encrypted: until it is unlocked it answers no prompt.
        locked: bool,
    },
    /// A line of the appliance's console.
    Console { line: &'a str },
    /// The appliance ended.
    Ended { code: u8, reason: String },
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let image = SealedImage::open(&args.image)?;
    let vmm = chosen(args.shape.vmm);
    check_cache(args.cache, vmm)?;
    let machine = args.shape.machine(vmm)?;
    let page = machine.launch_page(image.manifest());
    let plan = LoadPlan::new(image.firmware(), &page);
    let plan = plan.map_err(|error| Failure::new(error.to_string(), "build the image again"))?;
    let host_data = host_data(&page.manifest_digest);
    let listener = listen(args.publish)?;
    let memory_bytes = machine.memory_bytes;
    let started = match (vmm, args.shape.tee) {
        (VmmArg::Kvm, TeeArg::SevSnp) => {
            let disk = Arc::new(disk(&image, args.cache)?);
            Vmm::start_snp(args.snp.config(plan, memory_bytes, host_data, disk, listener)?)
        }
        (VmmArg::Kvm, _) => {
            let (tee, disk) = (simulated(&plan, host_data)?, Arc::new(disk(&image, args.cache)?));
            Vmm::start(Config { plan, memory_bytes, disk, listener, tee })
        }
        (VmmArg::Qemu, _) => {
            // QEMU binds the address itself.
            let address = listener.local_addr().unwrap_or(args.publish);
            drop(listener);
            let (tee, disk) = (simulated(&plan, host_data)?, image.path().to_owned());
            Vmm::start_qemu(QemuConfig { plan, memory_bytes, disk, address, tee })
        }
    };
    let is_locked = image.manifest().encryption.is_some();
    serve(args, &started.map_err(|error| start_failure(&error))?, is_locked)
}

fn simulated(plan: &LoadPlan, host_data: [u8; 32]) -> Result<Box<dyn ReportDevice>, Failure> {
    let tee = SimulatedTee::new(plan.digest(), host_data);
    Ok(Box::new(Tee(tee.ok_or_else(|| Failure::new("the simulated TEE has no key", ""))?)))
}

/// The VMM asked for, else the one this host can run.
fn chosen(asked: Option<VmmArg>) -> VmmArg {
    asked.unwrap_or_else(|| {
        let has_kvm = Path::new("/dev/kvm").exists();
        if !has_kvm {
            say("found no /dev/kvm: running under QEMU, emulated and slow; measure and verify with --vmm qemu");
        }
        if has_kvm { VmmArg::Kvm } else { VmmArg::Qemu }
    })
}

fn check_cache(is_cached: bool, vmm: VmmArg) -> Result<(), Failure> {
    let text = "--cache: found it with QEMU, expected it with vial's own VMM only";
    let is_known = !is_cached || vmm == VmmArg::Kvm;
    if is_known { Ok(()) } else { Err(Failure::new(text, "leave --cache out")) }
}

fn disk(image: &SealedImage, is_cached: bool) -> Result<FileDisk, Failure> {
    let failed = |error| format!("{}: {error}", image.path().display());
    let open = if is_cached { FileDisk::cached } else { FileDisk::open };
    open(image.path()).map_err(|error| Failure::new(failed(error), "check its permissions"))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let hint = "name a free one with --publish 127.0.0.1:PORT (0 picks one)";
    TcpListener::bind(address).map_err(|error| Failure::new(format!("--publish {address}: {error}"), hint))
}

fn start_failure(error: &StartError) -> Failure {
    let hint = match error {
        StartError::Kvm(kvm) if kvm.error.kind() == std::io::ErrorKind::PermissionDenied => {
            "join the group that owns /dev/kvm: sudo usermod -aG kvm $USER, then log in again"
        }
        StartError::Kvm(kvm) if kvm.error.kind() == std::io::ErrorKind::NotFound => {
            "switch on virtualisation, and load the module kvm_amd or kvm_intel"
        }
        StartError::Sev(error) => error.hint(),
        StartError::System { what: "qemu-system-x86_64", .. } => "install QEMU: apt install qemu-system-x86",
        StartError::System { .. } => "is there enough memory and are enough files allowed (ulimit -n)?",
        _ => "try another --memory, or report this line",
    };
    Failure::new(error.to_string(), hint)
}

/// The simulated TEE as the VMM's device.
struct Tee(SimulatedTee);

impl ReportDevice for Tee {
    fn report(&mut self, report_data: &[u8; 64]) -> (Vec<u8>, Vec<u8>) {
        (self.0.report(report_data), Vec::new())
    }
}

fn serve(args: &Args, vmm: &Vmm, is_locked: bool) -> Result<(), Failure> {
    let stop = vmm.sender.clone();
    // Told as if the appliance had stopped by itself; a second signal finds nobody listening.
    let stopped = move || drop(stop.send(Event::Ended(Ended::Exit(ExitCode::Stopped))));
    ctrlc::set_handler(stopped).map_err(|error| Failure::new(format!("signals: {error}"), ""))?;
    let mut timeline = Timeline::default();
    for event in &vmm.events {
        match event {
            Event::Mark(mark, after) => {
                timeline.add(mark, after);
                tell(args, &Line::Mark { name: mark.name(), microseconds: after.as_micros() });
                if mark == Mark::Listening {
                    ready(args, vmm.address, &timeline, is_locked);
                }
            }
            Event::Console(line) => console(args, &line),
            Event::Ended(ended) => return end(args, &ended),
        }
    }
    Ok(())
}

fn tell(args: &Args, line: &Line<'_>) {
    if args.json {
        print(&json(line));
    }
}

fn ready(args: &Args, address: SocketAddr, timeline: &Timeline, is_locked: bool) {
    let kv = Kv::from(args.shape.kv).name();
    tell(args, &Line::Ready { address: address.to_string(), kv, locked: is_locked });
    if !args.json {
        timeline.lines().iter().for_each(|line| say(line));
        let what = Style::Good.paint("listening");
        let (tee, allowed) = match args.shape.tee {
            TeeArg::SevSnp => ("SEV-SNP", ""),
            TeeArg::Simulated | TeeArg::SimulatedSnp | TeeArg::SimulatedTdx => {
                ("SIMULATED TEE", " --allow-simulated")
            }
        };
        say(&format!("{what} https://{address}  (KV cache {kv}; {tee}; Ctrl-C stops)"));
        let of_image = format!("--image {}{}{allowed}", args.image.display(), args.shape);
        if is_locked {
            let unlock = format!("vial unlock https://{address} --key KEY {of_image}");
            say(&format!("{} unlock it with `{unlock}`", Style::Bad.paint("locked:")));
        }
        say(&Style::Dim.paint(&format!("use it:   vial connect https://{address} {of_image}")));
        say(&Style::Dim.paint(&format!("watch it: vial top https://{address}")));
    }
}

fn console(args: &Args, line: &str) {
    tell(args, &Line::Console { line });
    if !args.json {
        say(&format!("{} {line}", Style::Dim.paint("appliance:")));
    }
}

/// Says why the appliance ended; its code is the command's.
fn end(args: &Args, ended: &Ended) -> Result<(), Failure> {
    let (code, reason) = match ended {
        Ended::Exit(code) => (code.value(), code.text().to_owned()),
        Ended::Unknown(code) => (*code, format!("ended with unknown code {code}")),
        Ended::Broken(why) => (ExitCode::Trap.value(), format!("the machine broke: {why}")),
    };
    tell(args, &Line::Ended { code, reason: reason.clone() });
    if code == 0 {
        return Ok(());
    }
    let hint = match code == ExitCode::ModelMemory.value() {
        true => "start with more --memory; `vial plan IMAGE` shows what it is for, and what would do",
        false => "the appliance's own line above names what differed",
    };
    Err(Failure::new(format!("appliance: {reason}"), hint).with_code(code))
}
