//! Threads as the cpus of a pass.

use std::sync::OnceLock;
use std::thread::Thread;
use vial_tensor::{Parker, Team};

/// Parks threads; each tells its handle before it serves.
struct Threads(Vec<OnceLock<Thread>>);

impl Parker for Threads {
    fn park(&self, _cpu: usize) {
        std::thread::park();
    }

    fn wake(&self, cpu: usize) {
        if let Some(thread) = self.0.get(cpu).and_then(OnceLock::get) {
            thread.unpark();
        }
    }
}

/// Ends the team's threads, also when the work panics.
struct Stopping<'t, 'a>(&'t Team<'a>);

impl Drop for Stopping<'_, '_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Runs `work` with a team of `cpus` cpus: the caller's thread and others that live as long as the work.
pub fn with_team<R>(cpus: usize, work: impl FnOnce(&Team<'_>) -> R) -> R {
    let threads = Threads((0..cpus.max(1)).map(|_| OnceLock::new()).collect());
    let team = Team::new(cpus.max(1), &threads);
    std::thread::scope(|scope| {
        let (team, threads) = (&team, &threads);
        for (cpu, thread) in threads.0.iter().enumerate().skip(1) {
            scope.spawn(move || {
                // Set here only, before this thread can park.
                let _first = thread.set(std::thread::current());
                team.serve(cpu);
            });
        }
        let _stopping = Stopping(team);
        work(team)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_team_works_and_ends() {
        let count = AtomicUsize::new(0);
        let cpus = with_team(3, |team| {
            for _ in 0..100 {
                team.run(&|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
            team.cpus()
        });
        assert_eq!(cpus, 3);
        assert!((100..=300).contains(&count.into_inner()));
    }
}
