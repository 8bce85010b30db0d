//! The same `main` as `elbow`: cargo builds a package's own binaries before its tests, so that no test can run a
//! stale one.

fn main() -> std::process::ExitCode {
    elbow_cli::cli::main()
}
