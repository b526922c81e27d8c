//! Real boots on disks that are slow, silent, wrong about themselves, or that change what they gave: by the VMM's own parts.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use vial_abi::ExitCode;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_attest::MachineShape;
use vial_client::Opening;
use vial_devices::Memory;
use vial_devices::block::Backend;
use vial_image::SealedImage;
use vial_runner::machine;
use vial_runner::{Vial, text};
use vial_vmm::{Ended, Event, FileDisk, Vmm};
use vm_memory::{Bytes as _, GuestAddress};

/// What a disk does with its read of that number, from 0 after the appliance listens.
type Fault = Box<dyn Fn(u64) -> Deed + Send + Sync>;

enum Deed {
    Read,
    Fail,
    /// Answers after that time.
    Wait(Duration),
    /// Answers never.
    Keep,
}

/// The image, as a disk that has a fault.
struct Faulty {
    disk: FileDisk,
    bytes: u64,
    fault: Fault,
    is_listening: AtomicBool,
    reads: AtomicU64,
    /// Where it wrote, for one that changes that later.
    written: Mutex<Vec<(Memory, GuestAddress, u32)>>,
}

impl Backend for Faulty {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, offset: u64, memory: &Memory, to: GuestAddress, len: u32) -> std::io::Result<()> {
        let deed = if self.is_listening.load(Ordering::Relaxed) {
            (self.fault)(self.reads.fetch_add(1, Ordering::Relaxed))
        } else {
            Deed::Read
        };
        match deed {
            Deed::Read => {}
            Deed::Fail => return Err(std::io::Error::other("on purpose")),
            Deed::Wait(time) => std::thread::sleep(time),
            Deed::Keep => std::thread::sleep(Duration::from_secs(3600)),
        }
        self.disk.read(offset, memory, to, len)?;
        self.written.lock().unwrap().push((memory.clone(), to, len));
        Ok(())
    }
}

/// Longer than a disk is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A machine in which the test model is streamed.
const MACHINE: MachineShape = MachineShape {
    cpus: 2,
    memory_bytes: 96 << 20,
    tee: Tee::Simulated,
    machine: Machine::Vial,
    measure: Measure::Nodes,
    kv: Kv::F16,
};

/// An image of the test model for short contexts, whose file is gone already.
fn image() -> Option<(SealedImage, FileDisk)> {
    let (vial, model) = (Vial::from_env()?, std::env::var("VIAL_TEST_MODEL").ok()?);
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    let all = ["build", &model, "-o", text(&image).unwrap(), "--max-context", "256", "--max-streams", "2"];
    assert!(vial.run(&all).unwrap().status.success());
    Some(machine::open(&image).unwrap())
}

/// A running appliance, and connections that were opened before: afterwards this process opens none.
struct Running {
    vmm: Vmm,
    disk: Arc<Faulty>,
    connections: Vec<Opening>,
}

impl Running {
    fn start((image, file): (SealedImage, FileDisk), bytes: Option<u64>, fault: Fault) -> Self {
        let disk = Arc::new(Faulty {
            bytes: bytes.unwrap_or_else(|| file.bytes()),
            disk: file,
            fault,
            is_listening: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            written: Mutex::new(Vec::new()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open =
            |_| Opening::over(TcpStream::connect(address).unwrap(), address.to_string(), PATIENCE).unwrap();
        let connections = (0..3).map(open).collect();
        let backend = Arc::clone(&disk);
        let vmm = machine::boot(&image, &MACHINE, (backend, listener), |_| ()).unwrap();
        Self { vmm, disk, connections }
    }

    /// Waits until it listens; why it ended, if it does.
    fn listens(&self) -> Option<Ended> {
        let ended = machine::listens(&self.vmm);
        self.disk.is_listening.store(true, Ordering::Relaxed);
        ended
    }

    /// Sends a request on a connection of its own; gives status and body.
    fn ask(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> (u16, String) {
        let mut connection = self.connections.pop().unwrap().open().unwrap();
        let answer = connection.ask(method, path, body, 1 << 20).unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    /// What is answered greedily: a status, and the text or the error.
    fn answer(&mut self) -> (u16, String) {
        let body = json!({ "prompt": "The capital of France is", "max_tokens": 8, "temperature": 0 });
        let (status, answer) = self.ask("POST", "/v1/completions", Some(body.to_string().as_bytes()));
        let value: Value = serde_json::from_str(&answer).unwrap();
        let text = value["choices"][0]["text"].as_str().unwrap_or(&answer).to_owned();
        (status, text)
    }

    fn health(&mut self) -> u16 {
        self.ask("GET", "/health", None).0
    }
}

/// What the test model says on a disk without a fault.
const EXPECTED: &str = " Paris.";

fn boot(fault: Fault) -> Option<Running> {
    let running = Running::start(image()?, None, fault);
    assert!(running.listens().is_none());
    Some(running)
}

fn assert_answers(mut running: Running) {
    let (status, text) = running.answer();
    assert!(status == 200 && text.starts_with(EXPECTED), "{status}: {text}");
    assert_eq!(running.health(), 200);
}

#[test]
fn a_disk_that_stalls_for_five_seconds_loses_no_request() {
    let stall = |number| if number == 40 { Deed::Wait(Duration::from_secs(5)) } else { Deed::Read };
    let Some(running) = boot(Box::new(stall)) else { return };
    assert_answers(running);
}

#[test]
fn reads_that_come_late_and_in_any_order_change_nothing() {
    let late = |number: u64| Deed::Wait(Duration::from_micros(number * 7919 % 900));
    let Some(running) = boot(Box::new(late)) else { return };
    assert_answers(running);
}

#[test]
fn reads_that_fail_now_and_then_are_read_again() {
    // No read so often that it is given up.
    let fail = |number: u64| if matches!(number, 10 | 40 | 41 | 90) { Deed::Fail } else { Deed::Read };
    let Some(running) = boot(Box::new(fail)) else { return };
    assert_answers(running);
}

#[test]
fn a_disk_that_fails_for_good_stops_every_answer() {
    let fail = |number: u64| if number > 60 { Deed::Fail } else { Deed::Read };
    let Some(mut running) = boot(Box::new(fail)) else { return };
    let (status, answer) = running.answer();
    assert!(status >= 500 && !answer.contains("Paris"), "{status}: {answer}");
    assert_eq!(running.health(), 503);
    assert!(running.answer().0 >= 500);
}

#[test]
fn a_disk_that_is_silent_for_good_stops_every_answer() {
    let keep = |number: u64| if number > 60 { Deed::Keep } else { Deed::Read };
    let Some(mut running) = boot(Box::new(keep)) else { return };
    let (status, answer) = running.answer();
    assert!(status >= 500 && !answer.contains("Paris"), "{status}: {answer}");
    // Connections that were idle meanwhile are closed, so the console tells the rest.
    let is_told = |event: Event| matches!(event, Event::Console(line) if line.contains("could not be read"));
    assert!(running.vmm.events.try_iter().any(is_told));
}

#[test]
fn a_disk_that_says_it_is_shorter_is_refused() {
    let Some(image) = image() else { return };
    let bytes = image.1.bytes();
    // Without its last part, a backup of the partition table, it would do.
    let running = Running::start(image, Some(bytes / 2), Box::new(|_| Deed::Read));
    let ended = running.listens().unwrap();
    assert!(matches!(ended, Ended::Exit(code) if code != ExitCode::Stopped), "{ended:?}");
}

#[test]
fn a_disk_that_says_it_is_longer_answers_as_before() {
    let Some(image) = image() else { return };
    let running = Running::start(image, Some(u64::MAX / 2), Box::new(|_| Deed::Read));
    if running.listens().is_none() {
        assert_answers(running);
    }
}

#[test]
fn buffers_that_change_after_they_were_filled_never_change_an_answer() {
    let Some(mut running) = boot(Box::new(|_| Deed::Read)) else { return };
    let disk = Arc::clone(&running.disk);
    let is_over = Arc::new(AtomicBool::new(false));
    let changing = Arc::clone(&is_over);
    let changer = std::thread::spawn(move || {
        let mut changes = 0_u64;
        while !changing.load(Ordering::Relaxed) {
            for (memory, to, len) in disk.written.lock().unwrap().drain(..) {
                // One byte in the middle of what the guest may be copying just now, and back again.
                let at = GuestAddress(to.0 + u64::from(len) / 2);
                let byte: u8 = memory.read_obj(at).unwrap();
                memory.write_obj(byte ^ 1, at).unwrap();
                changes += 1;
            }
        }
        changes
    });
    let (status, answer) = running.answer();
    is_over.store(true, Ordering::Relaxed);
    assert!(changer.join().unwrap() > 0);
    let is_right = status == 200 && answer.starts_with(EXPECTED);
    let is_refused = status >= 500 && !answer.contains("Paris") && running.health() == 503;
    assert!(is_right || is_refused, "{status}: {answer}");
}
