//! `elbow`: see [`elbow_cli::cli`].

fn main() -> std::process::ExitCode {
    elbow_cli::cli::main()
}
