//! `elbow`: see [`eval::cli`].

fn main() -> std::process::ExitCode {
    eval::cli::main()
}
