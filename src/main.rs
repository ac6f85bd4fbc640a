//! The `exim` program of Oxim.

fn main() {
    std::process::exit(oxim::cli::run());
}
