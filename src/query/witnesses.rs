//! Events of one host that speak of another, by minute: what it handed over, and where it found nobody. And failures that an
//! application logged again. The detection counts them.

use super::window::Window;

/// SELECTs over events of which each gives `minute`, `service`, `host`, `remote_host`, `kind` and `times`.
pub(super) const OF_EVENTS: [&str; 2] = [
    "SELECT ts_ms - ts_ms % 60000 AS minute, service, host, remote_host, kind, COUNT(*) AS times FROM events \
     WHERE (kind = 'delivered' AND destination = 'relay') \
     OR (kind = 'deferred' AND (reason = 'connection_refused' OR reason = 'timeout')) \
     GROUP BY ts_ms - ts_ms % 60000, service, host, remote_host, kind",
    "SELECT ts_ms - ts_ms % 60000 AS minute, service, host, remote_host, kind, COUNT(*) AS times FROM events \
     WHERE kind = 'submit_failed' AND messages = 0 \
     GROUP BY ts_ms - ts_ms % 60000, service, host, remote_host, kind",
];

/// The same from the table that a server keeps of them.
pub(super) fn on_server(Window { since_ms, until_ms }: Window) -> String {
    format!(
        "SELECT ts_ms AS minute, service, host, remote_host, kind, times FROM witnesses \
         WHERE ts_ms >= {} AND ts_ms < {}",
        since_ms.get(),
        until_ms.get()
    )
}
