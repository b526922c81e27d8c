//! Cooperative tasks: each is polled in turn and says when it wants to be polled again.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// When a task, or a whole turn, wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// At once: there is more to do.
    Now,
    /// At this time, or after an interrupt, whichever is first.
    At {
        /// On the clock that [`Task::poll`] is given.
        deadline_ns: u64,
    },
    /// After an interrupt.
    Idle,
    /// Never: the task has ended.
    Ended,
}

/// Work in small steps over what all tasks share.
pub trait Task<Shared> {
    /// Does what can be done without waiting.
    fn poll(&mut self, shared: &mut Shared, now_ns: u64) -> Next;
}

impl<Shared, F: FnMut(&mut Shared, u64) -> Next> Task<Shared> for F {
    fn poll(&mut self, shared: &mut Shared, now_ns: u64) -> Next {
        self(shared, now_ns)
    }
}

/// All tasks of a program, polled in the order they were added.
pub struct Executor<Shared> {
    tasks: Vec<Box<dyn Task<Shared>>>,
}

impl<Shared> core::fmt::Debug for Executor<Shared> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Executor").field("tasks", &self.tasks.len()).finish()
    }
}

impl<Shared> Default for Executor<Shared> {
    fn default() -> Self {
        Self { tasks: Vec::new() }
    }
}

impl<Shared> Executor<Shared> {
    /// Adds a task.
    pub fn add(&mut self, task: impl Task<Shared> + 'static) {
        self.tasks.push(Box::new(task));
    }

    /// Polls every task once and drops those that ended. Gives the earliest time one wants to go on, or
    /// [`Next::Ended`] when none is left.
    pub fn turn(&mut self, shared: &mut Shared, now_ns: u64) -> Next {
        let mut earliest = Next::Ended;
        self.tasks.retain_mut(|task| {
            let next = task.poll(shared, now_ns);
            earliest = earliest.min(next);
            next != Next::Ended
        });
        earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_gives_the_earliest_wish() {
        let mut executor = Executor::<u32>::default();
        executor.add(|_: &mut u32, _| Next::Idle);
        assert_eq!(executor.turn(&mut 0, 0), Next::Idle);
        executor.add(|_: &mut u32, now_ns| Next::At { deadline_ns: now_ns + 9 });
        executor.add(|_: &mut u32, now_ns| Next::At { deadline_ns: now_ns + 5 });
        assert_eq!(executor.turn(&mut 0, 100), Next::At { deadline_ns: 105 });
        executor.add(|_: &mut u32, _| Next::Now);
        assert_eq!(executor.turn(&mut 0, 100), Next::Now);
    }

    #[test]
    fn ended_tasks_are_dropped_and_the_rest_share_their_state() {
        let mut executor = Executor::default();
        executor.add(|count: &mut u32, _| {
            *count += 1;
            if *count < 3 { Next::Now } else { Next::Ended }
        });
        let mut count = 0;
        while executor.turn(&mut count, 0) != Next::Ended {}
        assert_eq!(count, 3);
        assert_eq!(executor.turn(&mut count, 0), Next::Ended);
        assert_eq!(count, 3);
    }
}
