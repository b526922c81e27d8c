//! Cpus that share passes, on threads.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;

use vial_tensor::{Alone, Isa, Matrix, Parker, Quant, Team, matmul};

/// Threads that sleep as `std` does it.
struct Threads(Vec<Mutex<Option<thread::Thread>>>);

impl Threads {
    fn new(cpus: usize) -> Self {
        Self((0..cpus).map(|_| Mutex::new(None)).collect())
    }
}

impl Parker for Threads {
    fn park(&self, cpu: usize) {
        *self.0[cpu].lock().expect("no holder panics") = Some(thread::current());
        thread::park_timeout(core::time::Duration::from_millis(20));
    }

    fn wake(&self, cpu: usize) {
        if let Some(thread) = &*self.0[cpu].lock().expect("no holder panics") {
            thread.unpark();
        }
    }
}

/// Runs `task` as cpu 0 while the others serve.
fn with_team<R>(cpus: usize, task: impl FnOnce(&Team<'_>) -> R) -> R {
    let threads = Threads::new(cpus);
    let team = Team::new(cpus, &threads);
    thread::scope(|scope| {
        for cpu in 1..cpus {
            let team = &team;
            scope.spawn(move || team.serve(cpu));
        }
        let result = task(&team);
        team.stop();
        result
    })
}

#[test]
fn every_claim_is_done_when_a_run_returns() {
    with_team(3, |team| {
        for round in 0..2_000 {
            let (claimed, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            team.run(&|_| {
                while claimed.fetch_add(1, Ordering::Relaxed) < 10 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(done.into_inner(), 10, "round {round}");
        }
    });
}

#[test]
fn a_sleeping_cpu_is_woken() {
    with_team(2, |team| {
        thread::sleep(core::time::Duration::from_millis(30));
        let came = AtomicUsize::new(0);
        let start = std::time::Instant::now();
        team.run(&|cpu| {
            came.fetch_add(cpu, Ordering::Relaxed);
            while came.load(Ordering::Relaxed) == 0 && start.elapsed().as_secs() < 10 {
                thread::yield_now();
            }
        });
        assert_eq!(came.into_inner(), 1);
    });
}

#[test]
fn a_run_inside_a_run_is_done_alone() {
    with_team(2, |team| {
        let inner = AtomicUsize::new(0);
        team.run(&|cpu| {
            if cpu == 0 {
                team.run(&|cpu| {
                    inner.fetch_add(cpu + 1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(inner.into_inner(), 1);
    });
}

#[test]
fn a_team_gives_the_bits_of_one_cpu() {
    let (rows, cols) = (100, 64);
    let bytes: Vec<u8> = (0..rows * cols / 32 * 20)
        .map(|i: usize| if i % 20 < 4 { 0x2E } else { i.to_le_bytes()[0] })
        .collect();
    let weights = Matrix::new(Quant::Q4_1, rows, cols, &bytes).unwrap();
    for inputs in [1, 2, 40] {
        let x: Vec<f32> = (0..inputs * cols).map(|i| (i % 7) as f32 - 3.0).collect();
        let mut one = vec![0.0; inputs * rows];
        matmul(&Team::new(1, &Alone), Isa::detect(), &weights, &x, &mut one);
        with_team(2, |team| {
            for _ in 0..200 {
                let mut two = vec![f32::NAN; inputs * rows];
                matmul(team, Isa::detect(), &weights, &x, &mut two);
                assert_eq!(one, two);
            }
        });
    }
}

#[test]
#[should_panic(expected = "is not a worker")]
fn cpu_0_does_not_serve() {
    Team::new(2, &Alone).serve(0);
}
