//! The cpus that compute one pass together.
//!
//! Cpu 0 opens a *gate* with a job; other cpus that see it open enter, run the job and leave. When cpu 0 has
//! finished its own run of the job it closes the gate and waits for those inside. A job shares its work by
//! claims (an atomic counter), so when cpu 0 finds nothing left to claim and everybody inside has left, all
//! work is done. A cpu that sleeps, is late or never came takes no part and is never waited for.
#![expect(unsafe_code, reason = "lends a job on cpu 0's stack to the cpus inside the gate")]

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::loan::Loan;
use crate::matmul::{Inputs, Scratch};

/// Polls of the gate before a worker parks: about a ms at 40 to 140 cycles a pause. Where weights are streamed jobs are as far
/// apart as reads of the disk, and a sleep through ring 0 costs more than they take where the host emulates ring 0.
const POLLS_BEFORE_PARK: u32 = 40_000;
/// The gate admits cpus.
const OPEN: u64 = 1 << 16;
/// One more job.
const NEXT_JOB: u64 = 1 << 17;
/// Cpus inside the gate.
const INSIDE: u64 = OPEN - 1;

/// How a cpu without work sleeps.
///
/// # Duties of the implementer
/// - A [`Parker::wake`] that happens before the [`Parker::park`] it is meant for makes that `park` return at
///   once (one remembered wake is enough), as a pending interrupt or the parking of a thread does.
/// - `park` may return early for any reason.
pub trait Parker: Sync {
    /// Sleeps on cpu `cpu` until woken.
    fn park(&self, cpu: usize);
    /// Wakes cpu `cpu`; called by cpu 0.
    fn wake(&self, cpu: usize);
}

/// The parker of a team whose cpus never sleep (or are one).
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Parker for Alone {
    fn park(&self, _cpu: usize) {
        core::hint::spin_loop();
    }

    fn wake(&self, _cpu: usize) {}
}

type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// What one cpu owns, on cache lines of its own.
#[repr(align(128))]
struct Seat {
    /// Set by the cpu before it parks.
    asleep: AtomicBool,
    /// The cpu is in [`Team::serve`].
    taken: AtomicBool,
    scratch: Loan<Scratch>,
}

/// The cpus that compute one pass together; see the module's text.
pub struct Team<'a> {
    parker: &'a dyn Parker,
    seats: Box<[Seat]>,
    /// Inputs of the job.
    inputs: Loan<Inputs>,
    /// Job number, [`OPEN`], and the count of cpus [`INSIDE`].
    gate: Gate,
    running: AtomicBool,
    stopped: AtomicBool,
    job: UnsafeCell<Option<Job<'static>>>,
}

/// The gate word on a cache line of its own: all cpus poll it.
#[repr(align(128))]
struct Gate(AtomicU64);

// SAFETY: `job` is written only by the holder of `running` while the gate is closed and empty, and read only
// by cpus inside the gate; the gate's acquire and release order these. All else is Sync by itself.
unsafe impl Sync for Team<'_> {}
// SAFETY: nothing in a team is tied to the thread that made it; parkers are Sync.
unsafe impl Send for Team<'_> {}

impl core::fmt::Debug for Team<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Team of {}", self.cpus())
    }
}

impl<'a> Team<'a> {
    /// A team of `cpus` cpus. Allocates all scratch memory a pass needs.
    ///
    /// # Panics
    /// If `cpus` is 0 or above 65,000.
    #[must_use]
    pub fn new(cpus: usize, parker: &'a dyn Parker) -> Self {
        assert!((1..=65_000).contains(&cpus), "a team has 1 to 65000 cpus, not {cpus}");
        let seat = |_| Seat {
            asleep: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            scratch: Loan::new(Scratch::new()),
        };
        Self {
            parker,
            seats: (0..cpus).map(seat).collect(),
            inputs: Loan::new(Inputs::default()),
            gate: Gate(AtomicU64::new(0)),
            running: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            job: UnsafeCell::new(None),
        }
    }

    /// Cpus of the team, cpu 0 among them.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.seats.len()
    }

    /// Runs `job` on cpu 0 (the caller) and on every other cpu that comes in time; returns when all who
    /// entered have left.
    ///
    /// `job` must share its work by claims: it is called with the cpu's number, on cpu 0 always, on another
    /// at most once. Called from inside a job, or by two threads at a time, the later call runs alone.
    pub fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        if self.cpus() == 1 || self.running.swap(true, Ordering::Acquire) {
            return job(0);
        }
        self.open(job);
        // Dropped also when the job panics: nobody may keep the borrow of `job` past this frame.
        let closing = Closing { team: self };
        job(0);
        drop(closing);
    }

    /// Serves as cpu `cpu` until [`Self::stop`].
    ///
    /// # Panics
    /// If `cpu` is 0, outside the team or served already.
    pub fn serve(&self, cpu: usize) {
        assert!(cpu > 0 && cpu < self.cpus(), "cpu {cpu} is not a worker of {self:?}");
        assert!(!self.seats[cpu].taken.swap(true, Ordering::Acquire), "cpu {cpu} is served already");
        let mut done = self.gate.0.load(Ordering::Relaxed) / NEXT_JOB * NEXT_JOB;
        // The gate may stand open with this very job: number 0 is never open, so step back one.
        done = done.wrapping_sub(NEXT_JOB);
        while let Some(number) = self.await_job(cpu, done) {
            let leaving = Leaving { team: self };
            // SAFETY: this cpu is inside the gate, so nobody writes `job`, and it was written before the
            // gate opened (acquired by the entry).
            let job = unsafe { *self.job.get() };
            if let Some(job) = job {
                job(cpu);
            }
            drop(leaving);
            done = number;
        }
        self.seats[cpu].taken.store(false, Ordering::Release);
    }

    /// Ends every [`Self::serve`], now and later.
    pub fn stop(&self) {
        // SeqCst: see `rest`.
        self.stopped.store(true, Ordering::SeqCst);
        self.wake_sleepers();
    }

    /// Lends cpu `cpu`'s scratch memory to `with`.
    ///
    /// # Panics
    /// If it is lent already: a job used another cpu's number.
    pub(crate) fn with_scratch<R>(&self, cpu: usize, with: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = self.seats[cpu].scratch.lend().expect("a job uses a cpu's scratch once");
        with(&mut scratch)
    }

    /// Lends the memory for the inputs of one job to `with`: the team's, which grows to what the largest job needs and is
    /// kept, or new memory for a job inside of another.
    pub(crate) fn with_inputs<R>(&self, with: impl FnOnce(&mut Inputs) -> R) -> R {
        match self.inputs.lend() {
            Some(mut inputs) => with(&mut inputs),
            None => with(&mut Inputs::default()),
        }
    }

    fn open(&self, job: Job<'_>) {
        // SAFETY: only the lifetime changes. No cpu reads the job outside the gate, and `Closing` empties
        // the gate before `run` returns or unwinds, so no use outlives the true lifetime.
        let job = unsafe { core::mem::transmute::<Job<'_>, Job<'static>>(job) };
        // SAFETY: `running` is held and the gate is closed and empty: no other access.
        unsafe { *self.job.get() = Some(job) };
        let number = self.gate.0.load(Ordering::Relaxed) / NEXT_JOB * NEXT_JOB;
        // SeqCst: see `rest`. It also releases the job to those who enter.
        self.gate.0.store(number.wrapping_add(NEXT_JOB) | OPEN, Ordering::SeqCst);
        self.wake_sleepers();
    }

    fn wake_sleepers(&self) {
        for (cpu, seat) in self.seats.iter().enumerate().skip(1) {
            // SeqCst: see `rest`.
            if seat.asleep.load(Ordering::SeqCst) && seat.asleep.swap(false, Ordering::SeqCst) {
                self.parker.wake(cpu);
            }
        }
    }

    /// Waits for a job other than `done` and enters; `None` when the team stopped.
    fn await_job(&self, cpu: usize, done: u64) -> Option<u64> {
        let mut polls = 0;
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(number) = self.enter(done) {
                return Some(number);
            }
            polls += 1;
            if polls < POLLS_BEFORE_PARK {
                core::hint::spin_loop();
            } else {
                self.rest(cpu, done);
                polls = 0;
            }
        }
    }

    /// Enters the gate if it is open for another job than `done`.
    fn enter(&self, done: u64) -> Option<u64> {
        let gate = &self.gate.0;
        let mut word = gate.load(Ordering::Relaxed);
        loop {
            let number = word / NEXT_JOB * NEXT_JOB;
            if word & OPEN == 0 || number == done {
                return None;
            }
            match gate.compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(number),
                Err(now) => word = now,
            }
        }
    }

    /// Parks unless something happened.
    ///
    /// No wake is lost: the worker stores `asleep`, then loads the gate; cpu 0 stores the gate, then loads
    /// `asleep`. All four are SeqCst, so in their single order at least one side sees the other's store:
    /// either the worker finds the gate open and does not park, or cpu 0 finds it asleep and wakes it. A wake
    /// between the check and the park is remembered (a duty of [`Parker`]). The same holds for `stopped`.
    fn rest(&self, cpu: usize, done: u64) {
        let asleep = &self.seats[cpu].asleep;
        asleep.store(true, Ordering::SeqCst);
        let word = self.gate.0.load(Ordering::SeqCst);
        let is_work = word & OPEN != 0 && word / NEXT_JOB * NEXT_JOB != done;
        if !is_work && !self.stopped.load(Ordering::SeqCst) {
            self.parker.park(cpu);
        }
        asleep.store(false, Ordering::SeqCst);
    }
}

/// Closes the gate and waits for those inside.
struct Closing<'t, 'a> {
    team: &'t Team<'a>,
}

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        let gate = &self.team.gate.0;
        gate.fetch_and(!OPEN, Ordering::Relaxed);
        // Acquire: what the others wrote inside the gate is visible after it.
        while gate.load(Ordering::Acquire) & INSIDE != 0 {
            core::hint::spin_loop();
        }
        self.team.running.store(false, Ordering::Release);
    }
}

/// Leaves the gate, also when the job panics.
struct Leaving<'t, 'a> {
    team: &'t Team<'a>,
}

impl Drop for Leaving<'_, '_> {
    fn drop(&mut self) {
        self.team.gate.0.fetch_sub(1, Ordering::Release);
    }
}
