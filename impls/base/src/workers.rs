//! Worker threads for independent pieces of tensor work.
//!
//! Each worker has a rayon pool of one thread: in a shared pool the small matrix products of several networks wait for
//! each other. Results come back in the order of the items, and how items are cut never depends on the number of
//! workers, so a result is the same on any machine.

use std::panic::resume_unwind;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::panics;

/// A set of worker threads.
pub struct Workers {
    pools: Vec<ThreadPool>,
}

impl Workers {
    /// One worker per core, and no more than `most`.
    pub fn new(most: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        let pool = || ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
        Self { pools: (0..cores.min(most).max(1)).map(|_| pool()).collect() }
    }

    /// Applies `work` to every item; item i is done by worker i mod the number of workers. A panic in it goes on here.
    pub fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
        let count = self.pools.len();
        let mut parts: Vec<_> = thread::scope(|scope| {
            let (work, printed) = (&work, panics::are_printed());
            let share = |worker: usize| {
                let mine = items.iter().enumerate().skip(worker).step_by(count);
                move || {
                    panics::print(printed);
                    mine.map(|(index, item)| work(index, item)).collect::<Vec<R>>()
                }
            };
            let handles: Vec<_> = self
                .pools
                .iter()
                .enumerate()
                .map(|(worker, pool)| {
                    let share = share(worker);
                    scope.spawn(move || pool.install(share))
                })
                .collect();
            let joined = handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
            joined.map(Vec::into_iter).collect()
        });
        (0..items.len()).filter_map(|index| parts[index % count].next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_number_of_workers() {
        let items: Vec<usize> = (0..17).collect();
        for most in 1..4 {
            let squares = Workers::new(most).map(&items, |index, item| (index, item * item));
            assert_eq!(squares, items.iter().map(|i| (*i, i * i)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_of_a_worker_is_one_of_the_caller() {
        let workers = Workers::new(2);
        let panicked = crate::caught(|| workers.map(&[0, 1, 2], |_, item| assert_ne!(*item, 1, "the device is full")));
        assert!(panicked.is_err_and(|text| text.contains("the device is full")));
        assert_eq!(workers.map(&[3], |_, item| *item), [3], "and the workers go on");
    }
}
