//! Building a machine and starting it.

use core::net::SocketAddr;
use std::fs::File;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use vial_abi::launch_page::Tee;
use vial_abi::memory::{VIRTIO_IRQ, VIRTIO_PA, VIRTIO_SLOT_BYTES, ram};
use vial_devices::block::Backend;
use vial_devices::network::GUEST_MAC;
use vial_devices::{Lanes, Transport, block, net, rng};
use vial_kvm::{Board, Cpu, KvmError, Machine, Memory, SevError, SevMachine, allocate, populate};
use vial_launch::LoadPlan;
use vm_memory::{Bytes as _, GuestAddress};
use vmm_sys_util::eventfd::EventFd;

use crate::bus::Bus;
use crate::disk::Disk;
use crate::event::Event;
use crate::net::Net;
use crate::qemu::Qemu;
use crate::tee::ReportDevice;
use crate::{console, cpu, rng as randomness, seccomp};

/// Offset of the register a driver rings. Spec: virtio 1.2 §4.2.2.
pub(crate) const QUEUE_NOTIFY: u64 = 0x50;

/// What to start.
pub struct Config {
    /// What is loaded, and the cpus' first registers.
    pub plan: LoadPlan,
    /// Memory in bytes, as in the plan's launch page.
    pub memory_bytes: u64,
    /// The disk.
    pub disk: Arc<dyn Backend>,
    /// Where clients connect; forwarded to the appliance.
    pub listener: TcpListener,
    /// The simulated TEE.
    pub tee: Box<dyn ReportDevice>,
}

impl core::fmt::Debug for Config {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Config").field("memory_bytes", &self.memory_bytes).finish_non_exhaustive()
    }
}

/// Why a machine does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// KVM refused something.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// The host starts no guest of SEV-SNP, or not this one.
    #[error(transparent)]
    Sev(#[from] SevError),
    /// This VMM starts no trust domain on a processor.
    #[error("load plan: found one of a trust domain, expected it played by this VMM (simulated-tdx) only")]
    Domain,
    /// Memory, events or sockets.
    #[error("{what}: {error}")]
    System {
        /// What was asked of the system.
        what: &'static str,
        /// Why it was refused.
        error: std::io::Error,
    },
    /// The load plan does not fit the memory.
    #[error("load plan: {0} bytes at {1:#x} lie outside memory")]
    Plan(usize, u64),
    /// The filter could not be applied.
    #[error("seccomp: {0}")]
    Seccomp(String),
}

pub(crate) fn system(what: &'static str) -> impl Fn(std::io::Error) -> StartError {
    move |error| StartError::System { what, error }
}

/// A running machine.
#[derive(Debug)]
pub struct Vmm {
    /// What it tells.
    pub events: Receiver<Event>,
    /// Tells as if the machine did; for signal handlers.
    pub sender: Sender<Event>,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Ends with this.
    _host: Host,
}

/// What runs it.
#[derive(Debug)]
pub(crate) enum Host {
    /// KVM: kept for its interrupts.
    Kvm { _machine: Machine },
    /// KVM with SEV-SNP.
    Sev { _machine: SevMachine },
    /// A process of QEMU.
    Qemu { _process: Qemu },
}

/// One virtio device: its registers, and what connects its threads.
struct Slot {
    lanes: Lanes,
    doorbell: Arc<EventFd>,
    interrupt: Arc<EventFd>,
}

impl Vmm {
    pub(crate) const fn of(
        events: Receiver<Event>,
        sender: Sender<Event>,
        address: SocketAddr,
        host: Host,
    ) -> Self {
        Self { events, sender, address, _host: host }
    }

    /// Starts a machine. Afterwards the process can open no more files.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start(config: Config) -> Result<Self, StartError> {
        match config.plan.tee() {
            Tee::SimulatedSnp { c_bit } => return crate::snp::start(config, c_bit, |_| ()),
            Tee::SimulatedTdx { shared_bit } => return crate::tdx::start(config, shared_bit, |_| ()),
            Tee::Tdx { .. } => return Err(StartError::Domain),
            Tee::Simulated | Tee::SevSnp { .. } => {}
        }
        let started = Instant::now();
        let memory = memory(config.memory_bytes)?;
        load(&config.plan, &memory)?;
        let machine = Machine::new(&memory)?;
        let soon = config.disk.bytes();
        let outside = Outside { disk: config.disk, listener: config.listener, tee: Some(config.tee) };
        let ready = Ready::connect(machine.board(), &memory, outside, started)?;
        let cpus = (0..config.plan.cpus()).map(|index| machine.cpu(index, config.plan.start()));
        let cpus = cpus.collect::<Result<_, _>>()?;
        let vmm = ready.run(cpus, cpu::run, Host::Kvm { _machine: machine })?;
        std::thread::spawn(move || populate(&memory, soon));
        Ok(vmm)
    }
}

/// What a machine has to do with.
pub(crate) struct Outside {
    pub(crate) disk: Arc<dyn Backend>,
    pub(crate) listener: TcpListener,
    /// The simulated TEE, where there is no other.
    pub(crate) tee: Option<Box<dyn ReportDevice>>,
}

/// A machine whose devices are connected.
pub(crate) struct Ready {
    events: Receiver<Event>,
    sender: Sender<Event>,
    address: SocketAddr,
    bus: Arc<Bus>,
    threads: Vec<Thread>,
}

impl Ready {
    pub(crate) fn connect(
        board: &Board,
        memory: &Memory,
        outside: Outside,
        started: Instant,
    ) -> Result<Self, StartError> {
        let (sender, events) = channel();
        let address = outside.listener.local_addr().map_err(system("listener"))?;
        let listening = Arc::new(event()?);
        let transports = transports(outside.disk.bytes());
        let slots = connect(board, &transports)?;
        let threads = devices(&slots, memory, outside.disk, outside.listener, &listening)?;
        let bus = Arc::new(Bus {
            memory: memory.clone(),
            slots: transports.into_iter().map(Mutex::new).collect(),
            console: Mutex::new(console::port(sender.clone())),
            tee: outside.tee.map(Mutex::new),
            doorbells: slots.iter().map(|slot| Arc::clone(&slot.doorbell)).collect(),
            events: Mutex::new(sender.clone()),
            started,
            listening,
        });
        Ok(Self { events, sender, address, bus, threads })
    }

    /// Lets the cpus go, each by `run` on a thread of its own. `host` is kept as long as the machine is.
    pub(crate) fn run(
        self,
        cpus: Vec<Cpu>,
        run: impl Fn(Cpu, u32, &Bus) + Clone + Send + 'static,
        host: Host,
    ) -> Result<Vmm, StartError> {
        for (index, cpu) in (0..).zip(cpus) {
            let (bus, run) = (Arc::clone(&self.bus), run.clone());
            std::thread::spawn(move || run(cpu, index, &bus));
        }
        self.threads.into_iter().for_each(|thread| drop(std::thread::spawn(thread)));
        seccomp::apply().map_err(StartError::Seccomp)?;
        Ok(Vmm::of(self.events, self.sender, self.address, host))
    }
}

/// The machine's memory, all zeros.
pub(crate) fn memory(bytes: u64) -> Result<Memory, StartError> {
    let [low, high] = ram(bytes);
    allocate(&[(low.pa, low.len), (high.pa, high.len)]).map_err(system("guest memory"))
}

fn load(plan: &LoadPlan, memory: &Memory) -> Result<(), StartError> {
    for range in plan.ranges() {
        let written = memory.write_slice(&range.bytes, GuestAddress(range.gpa));
        written.map_err(|_| StartError::Plan(range.bytes.len(), range.gpa))?;
    }
    Ok(())
}

/// Disk, network, randomness: the slots in order.
fn transports(disk_bytes: u64) -> [Transport; 3] {
    [
        Transport::new(block::DEVICE, block::READ_ONLY, block::config(disk_bytes), 1, block::QUEUE_SIZE),
        Transport::new(net::DEVICE, net::HAS_MAC, GUEST_MAC.to_vec(), 2, net::QUEUE_SIZE),
        Transport::new(rng::DEVICE, 0, Vec::new(), 1, rng::QUEUE_SIZE),
    ]
}

fn connect(board: &Board, transports: &[Transport; 3]) -> Result<Vec<Slot>, StartError> {
    let mut slots = Vec::new();
    for (pin, transport) in (VIRTIO_IRQ..).zip(transports) {
        let address = VIRTIO_PA + u64::from(pin - VIRTIO_IRQ) * VIRTIO_SLOT_BYTES + QUEUE_NOTIFY;
        let (doorbell, interrupt) = (Arc::new(event()?), Arc::new(event()?));
        board.interrupt(&interrupt, pin)?;
        // The network's two queues ring one bell.
        (0..2).try_for_each(|queue| board.doorbell(&doorbell, address, queue))?;
        slots.push(Slot { lanes: transport.lanes(), doorbell, interrupt });
    }
    Ok(slots)
}

type Thread = Box<dyn FnOnce() + Send>;

/// The threads of the devices, everything opened that they need.
fn devices(
    slots: &[Slot],
    memory: &Memory,
    backend: Arc<dyn Backend>,
    listener: TcpListener,
    listening: &Arc<EventFd>,
) -> Result<Vec<Thread>, StartError> {
    let [disk, net, random] = slots else { return Ok(Vec::new()) };
    let mut source = File::open("/dev/urandom").map_err(system("/dev/urandom"))?;
    let mut seed = [0; 8];
    std::io::Read::read_exact(&mut source, &mut seed).map_err(system("/dev/urandom"))?;
    let block = Disk {
        lanes: disk.lanes.clone(),
        memory: memory.clone(),
        backend,
        interrupt: disk.interrupt.clone(),
    };
    let net = Net {
        lanes: net.lanes.clone(),
        memory: memory.clone(),
        interrupt: net.interrupt.clone(),
        doorbell: net.doorbell.clone(),
        listening: listening.clone(),
        listener,
        seed: u64::from_le_bytes(seed),
    };
    let network = net.prepare().map_err(system("network"))?;
    let doorbell = disk.doorbell.clone();
    let (lanes, random_memory) = (random.lanes.clone(), memory.clone());
    let (random_bell, interrupt) = (random.doorbell.clone(), random.interrupt.clone());
    Ok(vec![
        Box::new(move || block.serve(&doorbell)),
        Box::new(network),
        Box::new(move || randomness::serve(&lanes, &random_memory, &mut source, &random_bell, &interrupt)),
    ])
}

fn event() -> Result<EventFd, StartError> {
    EventFd::new(0).map_err(system("event"))
}
