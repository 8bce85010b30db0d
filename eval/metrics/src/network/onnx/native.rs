//! Sessions of ONNX Runtime.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;

use super::super::runtime::unloadable;
use crate::{Error, Result};

/// Sessions of one network, shared by threads: one is added where more threads run at once than there are sessions.
pub struct Sessions {
    bytes: Arc<[u8]>,
    environment: &'static Environment,
    cuda: Option<i32>,
    idle: Mutex<Vec<Session>>,
}

impl Sessions {
    /// Opens the library, and no session yet.
    pub fn new(bytes: &Arc<[u8]>, library: &Path, cuda: Option<i32>) -> Result<Self> {
        let environment = environment(library)?;
        Ok(Self { bytes: Arc::clone(bytes), environment, cuda, idle: Mutex::default() })
    }

    /// Whether they run on a CUDA device.
    pub fn on_cuda(&self) -> bool {
        self.cuda.is_some()
    }

    /// Compiles the network, which shows whether the library can.
    pub fn warm(&self) -> Result<()> {
        let session = self.session().map_err(|e| match self.cuda {
            None => Error::input(
                super::failure::one_line(&e.to_string()),
                "export the network with operators that ONNX Runtime has",
            ),
            Some(device) => Error::CudaDevice(device, e.to_string()),
        })?;
        self.put_back(session);
        Ok(())
    }

    /// Runs a session that no other thread runs.
    pub fn run<T>(&self, work: impl FnOnce(&mut Session) -> ort::Result<T>) -> ort::Result<T> {
        let waiting = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = waiting.map_or_else(|| self.session(), Ok)?;
        let done = work(&mut session);
        self.put_back(session);
        done
    }

    fn put_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    fn session(&self) -> ort::Result<Session> {
        let builder = Session::builder(self.environment)?.with_intra_threads(1)?.with_inter_threads(1)?;
        // Its errors are returned, and need not be logged too.
        let mut builder = builder.with_log_level(LogLevel::Fatal)?;
        if let Some(index) = self.cuda {
            // TF32 keeps 10 bits of a product: features would differ from those of other tools in the third digit.
            let provider = ort::ep::CUDA::default().with_device_id(index).with_tf32(false);
            builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
        }
        builder.commit_from_memory(&self.bytes)
    }
}

/// The environment of ONNX Runtime. A process can have only one, so the first library stays.
fn environment(library: &Path) -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<std::result::Result<Environment, String>> = OnceLock::new();
    let open = || {
        if !library.is_file() {
            return Err("no such file".to_owned());
        }
        ort::init_from(library).map_err(|e| e.to_string())?.build().map_err(|e| e.to_string())
    };
    ENVIRONMENT.get_or_init(open).as_ref().map_err(|e| unloadable(library, e))
}
