//! Options of the command line that repair an error of the library.

use elbow_base::{Error, Remedy};

/// The message of an error: one line of what and where, one line of advice with the option to use.
pub fn message(failure: &Error) -> String {
    let option = match failure.remedy {
        None => return failure.to_string(),
        Some(Remedy::Output) => "--out DIR",
        Some(Remedy::Run) => "--run DIR",
        Some(Remedy::Weights) => "--from RUN --run DIR",
        Some(Remedy::Data) => "--data DIR",
        Some(Remedy::Device) => "--device cpu",
        Some(Remedy::ObjectiveEstimator) => "--estimator objective",
        Some(Remedy::Convention) => "--convention NAME",
        Some(Remedy::Peers) => "--peers PYTHON",
    };
    format!("{failure} ({option})")
}

/// The same error for a verb that writes where `option` says, instead of below `--out`.
pub fn written_by<E: Into<Error>>(option: &'static str) -> impl Fn(E) -> Error {
    move |error| {
        let mut failure = error.into();
        if failure.remedy == Some(Remedy::Output) {
            failure.remedy = None;
            failure.advice = format!("{} ({option})", failure.advice);
        }
        failure
    }
}
