//! The program: arguments in, exit code out. 0 is fine, 1 is "it found something", 2 is an error, 3 is an answer that is
//! incomplete.

use clap::Parser as _;
use mailpulse::cli::{Args, run};
use std::process::ExitCode;

/// Batches come and go by the hundred megabytes; the system's allocator gives each back to the kernel, page by page.
/// Without huge pages (`no_thp`): the kernel would zero two megabytes for every buffer that is touched.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    args.start_logging();
    match run(&args) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mailpulse: {}", mailpulse::model::text::safe_error(&error));
            ExitCode::from(2)
        }
    }
}

/// `mailpulse query … | head` is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
