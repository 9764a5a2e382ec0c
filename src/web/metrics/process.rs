//! The process itself.

use super::exposition::MetricFamilies;
use crate::model::time::UtcMs;

pub(super) fn of_process(started_ms: UtcMs, families: &mut MetricFamilies) {
    let version = env!("CARGO_PKG_VERSION");
    families
        .gauge("mailpulse_build_info", "The version, as a label.")
        .set([("version", version)], 1.0);
    let started = families.gauge(
        "process_start_time_seconds",
        "When the process began, seconds since 1970.",
    );
    started.set([], started_ms.get() as f64 / 1e3);
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    // Behind the name in parentheses; Linux counts in hundredths of a second, and in pages of 4 KiB.
    let stat = read("stat");
    let stat: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let number = |at: usize| stat.get(at).and_then(|text| text.parse::<f64>().ok());
    if let (Some(user), Some(system), Some(pages)) = (number(11), number(12), number(21)) {
        let cpu = families.counter("process_cpu_seconds", "CPU time of the process.");
        cpu.set([], (user + system) / 100.0);
        let memory = families.gauge("process_resident_memory_bytes", "Memory of the process.");
        memory.set([], pages * 4_096.0);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        families
            .gauge("process_open_fds", "Open files of the process.")
            .set([], files.count() as f64);
    }
}
