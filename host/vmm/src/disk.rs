//! The image as a disk: threads that read it straight into guest memory, several requests at once.

use std::fs::{File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use vial_devices::block::{Backend, Request, next};
use vial_devices::{Lanes, Memory};
use vial_kvm::read_volatile_at;
use vm_memory::{GuestAddress, GuestMemory as _, Permissions};
use vmm_sys_util::eventfd::EventFd;

/// Requests read at once: a disk is kept busy by two of half a MiB, while others of these threads wait for a cpu.
const READERS: usize = 4;

/// A file, read past the host's page cache where its file system allows it, or through it.
#[derive(Debug)]
pub struct FileDisk {
    cached: File,
    direct: Option<File>,
    bytes: u64,
}

impl FileDisk {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let direct = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path).ok();
        Ok(Self { direct, ..Self::cached(path)? })
    }

    /// Opens the file at `path` to be read through the page cache: faster where the host has memory to spare for it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn cached(path: &Path) -> Result<Self> {
        let cached = File::open(path)?;
        let bytes = cached.metadata()?.len();
        Ok(Self { cached, direct: None, bytes })
    }
}

impl Backend for FileDisk {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, offset: u64, memory: &Memory, to: GuestAddress, len: u32) -> Result<()> {
        let len = usize::try_from(len).map_err(std::io::Error::other)?;
        // A run may cross from one region to the next.
        let mut at = offset;
        for slice in memory.get_slices(to, len, Permissions::Write).map_err(std::io::Error::other)? {
            let slice = slice.map_err(std::io::Error::other)?;
            // Direct reads need alignment that a request may not have; the cache then serves it.
            let direct = self.direct.as_ref().map(|file| read_volatile_at(file, at, &slice));
            if direct.is_none_or(|read| read.is_err()) {
                read_volatile_at(&self.cached, at, &slice)?;
            }
            at += slice.len() as u64;
        }
        Ok(())
    }
}

/// What the disk's threads share.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) lanes: Lanes,
    pub(crate) memory: Memory,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) interrupt: Arc<EventFd>,
}

impl Disk {
    /// Serves requests whenever `doorbell` rings, for ever.
    pub(crate) fn serve(&self, doorbell: &EventFd) {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..READERS {
            let (disk, receiver) = (self.clone(), Arc::clone(&receiver));
            std::thread::spawn(move || disk.read(&receiver));
        }
        while doorbell.read().is_ok() {
            for request in self.take() {
                // The readers live as long as the process.
                let _gone = sender.send(request);
            }
        }
    }

    /// All requests there are; the driver rings again for those that come later.
    fn take(&self) -> Vec<Request> {
        use virtio_queue::QueueT as _;
        let mut requests = Vec::new();
        let Some(mut lane) = self.lanes.ready(0, &self.memory) else { return requests };
        loop {
            requests.extend(core::iter::from_fn(|| next(&mut lane, &self.memory)));
            match lane.queue.enable_notification(&self.memory) {
                Ok(true) => {}
                Ok(false) | Err(_) => return requests,
            }
        }
    }

    fn read(&self, requests: &Mutex<Receiver<Request>>) {
        loop {
            let request = requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(request) = request else { return };
            let written = request.serve(&self.memory, self.backend.as_ref());
            if self.lanes.give_back(0, &self.memory, request.head, written, request.life) {
                // The event counts up; it cannot be full.
                let _full = self.interrupt.write(1);
            }
        }
    }
}
