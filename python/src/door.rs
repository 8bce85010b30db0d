//! Work in Rust on a thread of its own, while the caller's thread answers what the work asks of Python.
//!
//! Python functions are entered from the thread that called the module, and from no other: their thread's settings (a
//! framework's gradient mode, a context variable) hold. The caller waits without the GIL, looks for signals many times per
//! second, and leaves at the first exception; the work that it leaves behind can ask nothing more, and ends by itself. Its
//! threads live as long as the work, so that a process which has called the module may fork.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use elbow_base::{Error, Kind, Progress};
use pyo3::prelude::*;
use rayon::ThreadPoolBuilder;

/// Time between two looks for signals.
const TICK: Duration = Duration::from_millis(50);
/// Time between two reports of progress.
const REPORT: Duration = Duration::from_millis(100);
/// How long the work is given to end after an exception: files that it writes are closed then, and a call that follows at once
/// finds them.
const PATIENCE: Duration = Duration::from_millis(300);
/// Stack of a thread of the work: as much as a program's main thread has.
const STACK: usize = 8 << 20;

/// What the work asks of Python, which the caller's thread does. An exception ends the caller's wait.
type Request = Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>;

/// The work's way to Python.
#[derive(Clone)]
pub struct Door {
    requests: Sender<Option<Request>>,
    seen: Arc<Seen>,
}

impl Door {
    /// What `work` gives on the caller's thread; none where the caller has left.
    pub fn call<T: Send + 'static>(&self, work: impl FnOnce(Python<'_>) -> PyResult<T> + Send + 'static) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let request = move |py: Python<'_>| {
            // The receiver is gone where the work was given up.
            work(py).map(|done| drop(answer.send(done)))
        };
        self.requests.send(Some(Box::new(request))).ok()?;
        answered.recv().ok()
    }

    /// The progress of the work, which the caller sees.
    pub fn progress(&self) -> Box<dyn Progress> {
        Box::new(Seen::clone(&self.seen))
    }
}

/// How far the work is.
#[derive(Clone, Default)]
struct Seen(Arc<State>);

#[derive(Default)]
struct State {
    what: Mutex<String>,
    length: AtomicU64,
    position: AtomicU64,
}

impl State {
    fn at(&self) -> (String, u64, u64) {
        let what = self.what.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (what, self.position.load(Ordering::Relaxed), self.length.load(Ordering::Relaxed))
    }
}

impl Progress for Seen {
    fn start(&self, length: u64, what: &str) {
        what.clone_into(&mut self.0.what.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.length.store(length, Ordering::Relaxed);
        self.0.position.store(0, Ordering::Relaxed);
    }

    fn advance(&self, units: u64) {
        self.0.position.fetch_add(units, Ordering::Relaxed);
    }

    fn set(&self, position: u64, _message: String) {
        self.0.position.store(position, Ordering::Relaxed);
    }

    fn finish(&self) {
        self.0.position.store(self.0.length.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Does `work` and answers its requests. `progress` is called with what is done, how far it is, and of how much.
pub fn serve<R: Send + 'static>(
    py: Python<'_>,
    progress: Option<Bound<'_, PyAny>>,
    work: impl FnOnce(&Door) -> Result<R, Error> + Send + 'static,
) -> PyResult<R> {
    let (requests, inbox) = mpsc::channel();
    let seen = Arc::new(Seen::default());
    let door = Door { requests: requests.clone(), seen: seen.clone() };
    let thread = thread::Builder::new().name("elbow".to_owned()).stack_size(STACK).spawn(move || {
        let pool = ThreadPoolBuilder::new().stack_size(STACK).thread_name(|_| "elbow".to_owned()).build();
        let result = match pool {
            Ok(pool) => pool.install(|| work(&door)),
            Err(failure) => Err(Error::environment(failure.to_string(), "allow this process more threads")),
        };
        let _ = requests.send(None);
        result
    })?;
    if let Err(exception) = attend(py, inbox, &progress, &seen.0) {
        py.detach(|| {
            let left = Instant::now();
            while !thread.is_finished() && left.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(1));
            }
        });
        return Err(exception);
    }
    let done = py.detach(move || thread.join());
    if let Some(progress) = progress {
        let (what, position, length) = seen.0.at();
        progress.call1((what, position, length))?;
    }
    match done {
        Ok(result) => result.map_err(|failure| raised(py, &failure)),
        Err(_) => Err(raised(py, &Error::internal("a computation broke off"))),
    }
}

/// Answers the requests until the work is done. After an exception none is answered.
fn attend(
    py: Python<'_>,
    mut inbox: Receiver<Option<Request>>,
    progress: &Option<Bound<'_, PyAny>>,
    state: &State,
) -> PyResult<()> {
    let mut shown = (Instant::now(), state.at());
    loop {
        let request;
        (inbox, request) = py.detach(move || {
            let request = inbox.recv_timeout(TICK);
            (inbox, request)
        });
        match request {
            Ok(Some(request)) => request(py)?,
            Ok(None) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        py.check_signals()?;
        report(progress, state, &mut shown)?;
    }
}

fn report(
    progress: &Option<Bound<'_, PyAny>>,
    state: &State,
    (last, shown): &mut (Instant, (String, u64, u64)),
) -> PyResult<()> {
    let Some(progress) = progress.as_ref().filter(|_| last.elapsed() >= REPORT) else { return Ok(()) };
    let now = state.at();
    if now != *shown {
        progress.call1(now.clone())?;
        *shown = now;
    }
    *last = Instant::now();
    Ok(())
}

/// An error of the library as the exception of its kind, from `elbow_diffusion.errors`.
pub fn raised(py: Python<'_>, failure: &Error) -> PyErr {
    let class = match failure.kind {
        Kind::Input => "InputError",
        Kind::Environment => "MissingError",
        Kind::Internal => "InternalError",
    };
    let exception = || py.import("elbow_diffusion.errors")?.getattr(class)?.call1((failure.to_string(),));
    exception().map_or_else(|other| other, PyErr::from_value)
}
