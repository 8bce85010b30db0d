//! Damaged files, and what a reader does with them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use elbow_base::Key;

use super::dice::Dice;
use super::memory;
use super::mutations::Mutation;

/// Longest that a file may take.
const TIME: Duration = Duration::from_secs(1);
/// Most memory that it may take, in bytes.
const MEMORY: usize = 500_000_000;
/// A reader that takes longer hangs, and ends the process.
const HANG: Duration = Duration::from_secs(60);
/// Damaged files of a format, where `ELBOW_FUZZ` does not say.
const FILES: u64 = 300;
/// Failures after which a format is given up.
const FAILURES: usize = 10;

/// A format: its name, the file that is read, and how valid ones are damaged.
pub struct Format<'a> {
    pub name: &'a str,
    /// The file's name.
    pub file: &'a str,
    pub mutations: &'a [Mutation],
}

impl Format<'_> {
    /// Reads damaged copies of valid files. `read` says whether the file was accepted, as each valid one must be.
    pub fn fuzz(&self, valid: &[Vec<u8>], read: impl Fn(&Path) -> bool) {
        let _alone = alone();
        let files = std::env::var("ELBOW_FUZZ").map_or(FILES, |n| n.parse().expect("ELBOW_FUZZ is a number"));
        let kept = elbow_tests::root().join("target/fuzz");
        let folder = kept.join(self.name);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(self.file);

        let outcome = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("writable");
            attempt(|| read(&path))
        };
        let valid_ones: Vec<_> = valid.iter().map(|bytes| outcome(bytes)).collect();
        let done = AtomicUsize::new(0);
        let (mut accepted, mut failures, mut slowest) = (0, Vec::new(), Duration::ZERO);
        watched(&done, &format!("{} hangs", path.display()), || {
            for number in 0..files {
                let mut dice = Dice::new(&Key::new(0, self.name).fold(number));
                let (mutation, file): (_, &Vec<u8>) = (dice.choose(self.mutations), dice.choose(valid));
                let bytes = mutation(file, &mut dice);
                match outcome(&bytes) {
                    Ok((ok, time)) => {
                        accepted += u64::from(ok);
                        slowest = slowest.max(time);
                    }
                    Err(why) => {
                        let name = self.file.replace("current", &format!("{}-{number}", self.name));
                        fs::write(kept.join(&name), bytes).expect("writable");
                        failures.push(format!("target/fuzz/{name}: {why}"));
                    }
                }
                done.fetch_add(1, Relaxed);
                if failures.len() == FAILURES {
                    break;
                }
            }
        });
        drop(std::panic::take_hook());
        assert!(valid_ones.iter().all(|outcome| matches!(outcome, Ok((true, _)))), "a valid file: {valid_ones:?}");
        assert!(failures.is_empty(), "{} of {files}:\n{}", failures.len(), failures.join("\n"));
        fs::remove_dir_all(&folder).expect("an own folder");
        println!("{}: {accepted} of {files} accepted, the slowest took {slowest:?}", self.name);
        assert!(accepted < files, "no damage was noticed");
    }
}

/// What the last panic said.
static LAST: Mutex<String> = Mutex::new(String::new());

/// One format at a time, since the allocator counts for all threads. Panics are remembered instead of printed.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    set_hook(Box::new(|panic| *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string()));
    one
}

/// Reads one file: whether it was accepted, and the time; or what went wrong.
fn attempt(read: impl Fn() -> bool) -> Result<(bool, Duration), String> {
    let mut least = Duration::MAX;
    // Another process may have taken the time.
    for _ in 0..3 {
        let (start, before) = (Instant::now(), memory::reset());
        let done = catch_unwind(AssertUnwindSafe(&read));
        least = least.min(start.elapsed());
        let used = memory::peak().saturating_sub(before);
        match done {
            Err(_) => return Err(LAST.lock().unwrap_or_else(PoisonError::into_inner).replace('\n', " ")),
            Ok(_) if used > MEMORY => return Err(format!("{} MB", used / 1_000_000)),
            Ok(accepted) if least <= TIME => return Ok((accepted, least)),
            Ok(_) => (),
        }
    }
    Err(format!("{:.1} s", least.as_secs_f64()))
}

/// Ends the process with `message` where `done` does not grow for long while `work` runs.
fn watched(done: &AtomicUsize, message: &str, work: impl FnOnce()) {
    let over = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut seen, mut since) = (0, Instant::now());
            while over.load(Relaxed) == 0 {
                std::thread::sleep(Duration::from_millis(20));
                let now = done.load(Relaxed);
                if now != seen {
                    (seen, since) = (now, Instant::now());
                }
                if since.elapsed() > HANG {
                    eprintln!("{message}: after file {now}");
                    std::process::abort();
                }
            }
        });
        work();
        over.store(1, Relaxed);
    });
}

#[test]
fn faults_are_noticed() {
    let _alone = alone();
    let panic = attempt(|| panic!("a defect")).expect_err("a panic");
    let memory = attempt(|| std::hint::black_box(Vec::<u8>::with_capacity(MEMORY + 1)).is_empty()).expect_err("memory");
    let fine = attempt(|| true);
    drop(std::panic::take_hook());
    assert!(panic.contains("runner.rs") && panic.contains("a defect"), "{panic}");
    assert_eq!(memory, "500 MB");
    assert!(matches!(fine, Ok((true, _))));
}
