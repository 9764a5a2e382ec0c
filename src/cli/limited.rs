//! SQL of a user's own runs in a process of its own, under limits of memory and time: whatever it asks for, nothing else on
//! the machine pays for it, and its end is one line.

use crate::config::Config;
use anyhow::{Context as _, Result, bail};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

/// Memory that a process takes before its query, and stacks of its threads, per processor.
const BASE_MIB: u64 = 96;
const THREAD_MIB: u64 = 6;
/// The stack that a query is parsed, planned and run on: its tree may be a thousand expressions deep.
const STACK_BYTES: usize = 64 << 20;
/// What the process may say on stderr.
const WORDS_MAX: u64 = 256 << 10;

/// How far a process is on its way into the limits. What one has taken before it set them stays with it, and an allocator
/// takes much at its start: so the first sets them, and becomes the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Stage {
    /// Sets the limits, and starts the program anew in its own place.
    Enter,
    /// Is within them.
    Within,
}

/// The flag by which a process knows its stage: the last of its arguments.
const FLAG: &str = "--within-limits";

fn again(args: &[OsString], stage: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program's own file")?);
    command.args(args).arg(FLAG).arg(stage);
    Ok(command)
}

/// Runs this command in a process of its own, within the limits of the configuration.
///
/// # Errors
/// The process cannot be started; it died of its limits.
pub(super) fn start(config: &Config) -> Result<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut command = again(&args, "enter")?;
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .context("a process for the query")?;
    let mut words = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.by_ref().take(WORDS_MAX).read_to_end(&mut words)?;
        // What is beyond is read too, or the process would wait for ever.
        std::io::copy(&mut stderr, &mut std::io::sink())?;
    }
    let status = child.wait()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match code.filter(|code| *code <= 3) {
        Some(code) => {
            std::io::stderr().write_all(&words)?;
            Ok(ExitCode::from(code))
        }
        None => bail!("{}", death(status, &words, config.store.query_bytes_max >> 20)),
    }
}

/// Sets the limit of memory, and goes on as the program anew.
///
/// # Errors
/// It cannot be started.
pub(super) fn enter(config: &Config) -> Result<ExitCode> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let bytes = config.store.query_bytes_max + ((BASE_MIB + THREAD_MIB * threads) << 20);
    let before = getrlimit(Resource::Data);
    let least = before.maximum.map_or(bytes, |most| most.min(bytes));
    let limit = Rlimit {
        current: Some(least),
        maximum: Some(least),
    };
    // Where a system knows no such limit, the one of time is left.
    if let Err(error) = setrlimit(Resource::Data, limit) {
        tracing::warn!("cannot limit the memory of the query: {error}");
    }
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let own = args.len().saturating_sub(2);
    Err(again(&args[..own], "within")?.exec()).context("this program, started anew")
}

/// What a process died of, and the cure.
fn death(status: ExitStatus, words: &[u8], mib: u64) -> String {
    let said = |text: &str| words.windows(text.len()).any(|window| window == text.as_bytes());
    let is_memory = said("memory allocation of") || said("unable to allocate") || said("Cannot allocate memory");
    match status.signal() {
        Some(libc::SIGSEGV | libc::SIGBUS) if !is_memory => {
            "the query is nested too deeply: use fewer levels".to_owned()
        }
        Some(libc::SIGABRT) if !is_memory && said("overflowed its stack") => {
            "the query is nested too deeply: use fewer levels".to_owned()
        }
        Some(_) => format!(
            "the query needs more than {mib} MiB of memory; ask for less (a shorter --since, fewer columns, a JOIN on more \
             columns), or raise query_mib_max in [store]"
        ),
        None if is_memory => format!("the query needs more than {mib} MiB of memory (query_mib_max in [store])"),
        None => "the engine failed on this query; rewrite it".to_owned(),
    }
}

/// What a program ends with that panics.
const PANICKED: u8 = 101;

/// Ends the process, whatever its threads do.
#[expect(clippy::disallowed_methods, reason = "a query that hangs cannot be asked to return")]
fn over() -> ! {
    std::process::exit(2)
}

/// Does the work of the process that was started so: ends it when its time is over or its parent is gone.
///
/// # Errors
/// What the work says.
pub(super) fn run(seconds: u64, work: impl FnOnce() -> Result<ExitCode> + Send) -> Result<ExitCode> {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        tracing::debug!("{error}");
    }
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        super::output::talk(&format!(
            "mailpulse: no answer within {seconds} s; ask for less, or raise query_s_max in [store]"
        ));
        over();
    });
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        match worker.context("a thread for the query")?.join() {
            Ok(result) => result,
            // The panic has said why on stderr; the parent says it shorter.
            Err(_) => Ok(ExitCode::from(PANICKED)),
        }
    })
}
