//! A program that is timed from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elbow_base::Error;
use serde_json::Value;

use crate::timing::Timing;

/// Cores and threads of every program.
pub const THREADS: usize = 2;

/// The command line of a program.
pub struct Program {
    pub words: Vec<String>,
    /// Units of the whole process, where the program does not time them itself.
    pub units: Option<f64>,
}

/// One run of one program.
pub struct Run {
    pub timing: Timing,
    /// Wall-clock seconds of the process.
    pub process: f64,
    /// Peak resident bytes of the process.
    pub memory: f64,
}

/// The native library that the peers' environment holds.
pub fn onnx_runtime(python: &Path) -> Result<String, Error> {
    let script = "import onnxruntime, pathlib; \
                  print(next((pathlib.Path(onnxruntime.__file__).parent / 'capi').glob('libonnxruntime.so.*')))";
    let words = vec![python.display().to_string(), "-c".into(), script.into()];
    Ok(Program { words, units: None }.finish()?.0.trim().to_owned())
}

impl Program {
    /// Runs the program once and reads the timing that it prints.
    pub fn run(&self) -> Result<Run, Error> {
        let (output, process, memory) = self.finish()?;
        let unreadable = |what: String| Error::internal(format!("{}: {what}", self.words.join(" ")));
        let start = output.find('{').ok_or_else(|| unreadable("it printed no JSON".into()))?;
        let answer: Value = serde_json::from_str(&output[start..]).map_err(|e| unreadable(e.to_string()))?;
        let timing = match self.units {
            None => serde_json::from_value(answer).map_err(|e| unreadable(e.to_string()))?,
            Some(units) => {
                let check = answer["value"].as_f64().ok_or_else(|| unreadable("no value".into()))?;
                let (unit, note) = ("image".to_owned(), String::new());
                Timing { unit, seconds: vec![process / units], check, check_error: None, note }
            }
        };
        Ok(Run { timing, process, memory })
    }

    /// Runs the program to its end: output, wall-clock seconds and peak resident bytes.
    pub fn finish(&self) -> Result<(String, f64, f64), Error> {
        let failed = |what: String| {
            let fix = "install eval/benches/compare/requirements.txt, as `just bench compare` does";
            Error::environment(format!("{}: {what}", self.words.join(" ")), fix)
        };
        let clock = Instant::now();
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("RAYON_NUM_THREADS", THREADS.to_string());
        on_few_cores(&mut command);
        let child = command.spawn().map_err(|e| failed(e.to_string()))?;
        let id = child.id();
        let memory = std::thread::spawn(move || peak_memory(id));
        let done = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
        let seconds = clock.elapsed().as_secs_f64();
        let [output, errors] = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let memory = memory.join().unwrap_or(f64::NAN);
        match done.status.success() {
            true => Ok((output, seconds, memory)),
            false => Err(failed(errors.trim().replace('\n', " "))),
        }
    }
}

/// Lets a command run on the first [`THREADS`] of the cores that this process may use.
fn on_few_cores(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let set = || {
            // SAFETY: an empty set of cores is all zeros, and both calls get live sets of the given size.
            let done = unsafe {
                let size = size_of::<libc::cpu_set_t>();
                let (mut all, mut few): (libc::cpu_set_t, libc::cpu_set_t) = (std::mem::zeroed(), std::mem::zeroed());
                let known = libc::sched_getaffinity(0, size, &mut all) == 0;
                let cores = (0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &all));
                cores.take(THREADS).for_each(|core| libc::CPU_SET(core, &mut few));
                known && libc::sched_setaffinity(0, size, &few) == 0
            };
            if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: between fork and exec only these two system calls are made; nothing is allocated.
        unsafe {
            command.pre_exec(set);
        }
    }
}

/// Peak resident bytes of a process, polled until it ends; NaN where the system does not report it.
///
/// The peak that `wait4` reports would not do: it starts at the peak of the parent process.
fn peak_memory(id: u32) -> f64 {
    let mut peak = f64::NAN;
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kibibytes) = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()) else { break };
        peak = kibibytes * 1024.0;
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}
