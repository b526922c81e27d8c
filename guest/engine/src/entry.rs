//! Start of the engine: handoff, heap, devices, cpus, model; then the loop.
#![expect(unsafe_code, reason = "worker cpus get their seat by address")]

use alloc::boxed::Box;
use alloc::sync::Arc;
use vial_abi::launch_page::Tee;
use vial_abi::{ExitCode, Handoff, Mark};
use vial_channel::Identity;
use vial_engine::Stop;
use vial_engine::arriving::Arriving;
use vial_engine::evidence::Bound;
use vial_engine::files::Files;
use vial_engine::front::Front;
use vial_engine::load;
use vial_engine::locked::Locked;
use vial_engine::scope::Scopes;
use vial_engine::serve::Appliance;
use vial_engine::stack;
use vial_engine::streamed::{Sealed as SealedFile, Timing};
use vial_model::transformer::Engine;
use vial_net::{Model, Server, ServerConfig};
use vial_tensor::{Isa, Parker, Team};
use vial_user::clock::{Clock, ticks};
use vial_user::memory::View;
use vial_user::vector::Vector;
use vial_user::virtio::block::Slots;
use vial_user::virtio::{Block, DeviceError, Kind, Net, find};
use vial_user::{Heap, Memory, console, cpus, program, random, syscall};
use vial_weights::cipher::{Decryptor, File, ImageKey};
use vial_weights::manifest::Encryption;
use vial_weights::{Lanes, Manifest, Tree};

/// Reads in flight: 7 MiB of the DMA window, in pieces of whole leaves.
const SLOTS: Slots = Slots { count: 14, bytes: 4 << 17 };
/// How long the disk may take for a read before it is asked again, in ns. All tries end before connections do, so that clients
/// are told.
const PATIENCE_NS: u64 = 8_000_000_000;
/// Frames each way.
const FRAMES: u16 = 128;
/// Connections at once: streams, and others that ask for health or evidence.
const CONNECTIONS: usize = 24;

program!(main, view: View::Linear, panic: ExitCode::EnginePanic, out_of_memory: ExitCode::EngineMemory);

fn main(mut memory: Memory, heap: &'static Heap) -> ! {
    let stop = match run(&mut memory, heap) {
        Err(stop) => stop,
    };
    console::print(format_args!("{}: {}", stop.code.text(), stop.line));
    syscall::exit(stop.code)
}

fn run(memory: &mut Memory, heap: &Heap) -> Result<core::convert::Infallible, Stop> {
    syscall::mark(Mark::Engine);
    let Ok(handoff) = Handoff::decode(&memory.argument_page()) else { syscall::exit(ExitCode::HandoffForm) };
    memory.give_engine_heap(heap, &handoff);
    let team = team(handoff.launch.cpus);
    let (disk, mut net) = devices(memory, handoff.launch.tee)?;
    let sealed = Sealed::of(memory, &handoff)?;
    let clock = Clock::new(&handoff);
    let Secrets { identity, seed, scopes } = secrets()?;
    let channel_key = identity.public();
    let bound = Bound {
        manifest: sealed.manifest_bytes,
        event_log: sealed.event_log,
        channel_key,
        tee: handoff.launch.tee,
        certificates: memory.host_certificates(handoff.launch.tee),
    };
    let (mac, random) = (net.mac(), random::fill);
    let model = Model { name: sealed.manifest.model.clone(), width: 0 };
    let (connections, of_server) = (CONNECTIONS, Arc::clone(&identity));
    let named = sealed.named();
    let config = ServerConfig { mac, seed, connections, model, sealed: named, identity: of_server, random };
    let mut server = Server::new(config, clock.now_ns());
    let key = match sealed.manifest.encryption {
        Some(encryption) => {
            syscall::mark(Mark::Listening);
            console::print(format_args!(
                "locked: the weights are encrypted; `vial unlock` releases their key"
            ));
            let (net, server) = (&mut net, &mut server);
            let locked = Locked { net, server, bound: &bound, clock: &clock, identity, encryption };
            Some(locked.wait().map_err(|error| Stop::of(ExitCode::NoNetwork, &error))?)
        }
        None => None,
    };
    let (model, draft) = sealed.fronts(&handoff, key.as_ref())?;
    drop(key);
    stack::wipe();
    let timing = Timing { now: ticks, patience: clock.ticks_at(PATIENCE_NS) };
    let mut weights = Arriving::new((disk, timing), lanes(), model, draft);
    let headers = load::read(&mut weights, &handoff, &sealed.manifest, sealed.bundle)?;
    let weights = Files::new(weights, lanes(), headers.keeping(), timing)?;
    let loaded = headers.load();
    syscall::mark(Mark::Model);
    console::print(format_args!("KV cache: {}", loaded.kv));
    console::print(format_args!("weights: {weights}"));
    if let Some(draft) = &sealed.manifest.draft {
        console::print(format_args!("draft model: {}", draft.model));
    }
    server.set_width(loaded.width);
    if sealed.manifest.encryption.is_none() {
        syscall::mark(Mark::Listening);
    }
    let engine = Engine { team, isa: Isa::detect() };
    let seed = seed.rotate_left(32);
    let appliance = Appliance { net, server, loaded, weights, engine, bound, clock, seed, heap, scopes };
    appliance.serve().map_err(|error| Stop::of(ExitCode::NoNetwork, &error))
}

/// Measured blobs, checked again where that is cheap.
struct Sealed {
    manifest: Manifest,
    manifest_bytes: &'static [u8],
    event_log: &'static [u8],
    bundle: &'static [u8],
    tree: Tree<'static>,
    draft_tree: Option<Tree<'static>>,
    /// Of encrypted leaves: nobody vouches for them.
    tags: &'static [u8],
    draft_tags: &'static [u8],
}

impl Sealed {
    fn of(memory: &Memory, handoff: &Handoff) -> Result<Self, Stop> {
        let lost = || Stop { code: ExitCode::HandoffForm, line: "blob: found it outside its area".into() };
        let blob = |region| memory.blob(region).ok_or_else(lost);
        let manifest_bytes = blob(handoff.manifest)?;
        let manifest =
            Manifest::decode(manifest_bytes).map_err(|error| Stop::of(ExitCode::HandoffForm, &error))?;
        let tree = |values, bytes, root: &[u8; 32]| {
            Tree::new(values, bytes, root).map_err(|error| Stop::of(ExitCode::HandoffForm, &error))
        };
        let draft_tree = match &manifest.draft {
            Some(draft) => Some(tree(blob(handoff.draft_tree)?, handoff.draft_bytes, &draft.weights.root)?),
            None => None,
        };
        let tree = tree(blob(handoff.tree)?, handoff.weights_bytes, &handoff.weights_root)?;
        let (event_log, bundle) = (blob(handoff.event_log)?, blob(handoff.bundle)?);
        let (tags, draft_tags) = (blob(handoff.tags)?, blob(handoff.draft_tags)?);
        Ok(Self { manifest, manifest_bytes, event_log, bundle, tree, draft_tree, tags, draft_tags })
    }

    /// What receipts name.
    fn named(&self) -> vial_net::Sealed {
        vial_net::Sealed {
            manifest_digest: self.manifest.digest(),
            weights_root: self.manifest.weights.root,
            draft_root: self.manifest.draft.as_ref().map(|draft| draft.weights.root),
            engine: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// Both files, to be opened with the key if they are encrypted. A call, so that what it leaves on the stack can be wiped.
    #[inline(never)]
    fn fronts(&self, handoff: &Handoff, key: Option<&ImageKey>) -> Result<(Front, Option<Front>), Stop> {
        let id = self.manifest.encryption.as_ref().map(Encryption::image_id);
        let front = |tree: Tree<'static>, disk_offset, file, tags| {
            let decryptor =
                key.zip(id).map(|(key, id)| Decryptor::new(key.cipher(id, file), tags, tree.file_bytes()));
            let decryptor = decryptor.transpose().map_err(|error| Stop::of(ExitCode::HandoffForm, &error))?;
            Ok(Front::new(SealedFile { tree, disk_offset, decryptor }))
        };
        let draft =
            self.draft_tree.map(|tree| front(tree, handoff.draft_disk_offset, File::Draft, self.draft_tags));
        let model = front(self.tree, handoff.weights_disk_offset, File::Model, self.tags)?;
        Ok((model, draft.transpose()?))
    }
}

fn devices(memory: &mut Memory, tee: Tee) -> Result<(Block, Net), Stop> {
    let none = |code, line: &str| Stop { code, line: line.into() };
    let failed = |code| move |error: DeviceError| Stop::of(code, &error);
    let taken = memory.take_devices(tee);
    let (mut window, mut slots) = taken.ok_or_else(|| none(ExitCode::EnginePanic, "devices: taken twice"))?;
    let disk =
        find(&mut slots, Kind::Block).ok_or_else(|| none(ExitCode::NoDisk, "block device: found none"))?;
    let card =
        find(&mut slots, Kind::Net).ok_or_else(|| none(ExitCode::NoNetwork, "network device: found none"))?;
    let disk = Block::new(disk, &mut window, SLOTS).map_err(failed(ExitCode::NoDisk))?;
    let net = Net::new(card, &mut window, FRAMES).map_err(failed(ExitCode::NoNetwork))?;
    Ok((disk, net))
}

fn lanes() -> Lanes {
    match Vector::detect() {
        Vector::Baseline => Lanes::Baseline,
        Vector::Avx2 => Lanes::Avx2,
        Vector::Avx512 => Lanes::Avx512,
    }
}

/// What the processor's randomness gave at this start.
struct Secrets {
    /// The appliance's key. Its secret half stays here.
    identity: Arc<Identity>,
    /// No secret: it shows in what is sent.
    seed: u64,
    scopes: Scopes,
}

/// From the processor alone.
fn secrets() -> Result<Secrets, Stop> {
    let none = || Stop {
        code: ExitCode::EnginePanic,
        line: "processor randomness: found none, expected RDRAND".into(),
    };
    let identity = Arc::new(Identity::new(&random::seed().ok_or_else(none)?));
    let [a, b, c, d, e, f, g, h, ..] = random::seed().ok_or_else(none)?;
    let scopes = Scopes::new(random::seed().ok_or_else(none)?);
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    Ok(Secrets { identity, seed, scopes })
}

/// Sleeps by ring 0's wait, wakes by its call.
struct Calls;

impl Parker for Calls {
    fn park(&self, _cpu: usize) {
        cpus::park();
    }

    fn wake(&self, cpu: usize) {
        cpus::wake(u32::try_from(cpu).unwrap_or(u32::MAX));
    }
}

static CALLS: Calls = Calls;

/// What a worker cpu gets.
struct Seat {
    team: &'static Team<'static>,
    cpu: usize,
}

/// All cpus as one team; those that do not start are left out, which the team does not mind.
fn team(count: u32) -> &'static Team<'static> {
    let count = usize::try_from(count).unwrap_or(1);
    let team: &'static Team<'static> = Box::leak(Box::new(Team::new(count, &CALLS)));
    for cpu in 1..count {
        let seat: &'static Seat = Box::leak(Box::new(Seat { team, cpu }));
        let argument = core::ptr::from_ref(seat).expose_provenance() as u64;
        if let Err(error) = cpus::start(u32::try_from(cpu).unwrap_or(u32::MAX), work, argument) {
            console::print(format_args!("cpu {cpu}: not started: {error:?}"));
        }
    }
    team
}

extern "C" fn work(argument: u64) -> ! {
    let seat = core::ptr::with_exposed_provenance::<Seat>(usize::try_from(argument).unwrap_or(0));
    // SAFETY: the address of a seat that was leaked, handed to this cpu by `team`.
    let seat: &'static Seat = unsafe { &*seat };
    seat.team.serve(seat.cpu);
    loop {
        cpus::park();
    }
}
