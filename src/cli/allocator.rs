//! Settings of the allocator, which reads them from the environment before the program begins.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// After how many milliseconds memory that was given back goes to the kernel; mimalloc's name for it.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Has memory given back to the kernel at once: what waits most of the time keeps half as much, and takes no longer. By default, it
/// is given back by the next allocations of the same thread, which a thread at rest does not make. The program begins anew in
/// its own place, unless the environment says it already.
pub(super) fn give_back_at_once() {
    if std::env::var_os(PURGE_DELAY).is_some() {
        return;
    }
    let mut args = std::env::args_os();
    let named = args.next();
    let error = std::env::current_exe().map(|program| {
        let mut command = Command::new(program);
        if let Some(name) = named {
            command.arg0(name);
        }
        command.args(args).env(PURGE_DELAY, "0").exec()
    });
    let error = error.unwrap_or_else(|error| error);
    tracing::warn!("this program cannot be started anew, and keeps more memory: {error}");
}
