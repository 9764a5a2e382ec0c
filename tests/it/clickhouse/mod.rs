//! ClickHouse: its own engine behind an HTTP front on loopback (tests/lab/clickhouse_front.py). The same questions have the
//! same answers there, and what is sent arrives once, whatever happens on the way.

use crate::logs::root;
use crate::util::{Place, Run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod earlier_schema;
mod kills;
mod mending;
mod migrating;
mod old_server;
mod pages;
mod panels;
mod profile;
mod questions;
mod reclassified;
mod relabelling;
mod repaired;
mod restored;
mod rollups;
mod schema;
mod sending;
mod sql;
mod tls;
mod two_senders;

const PASSWORD: &str = "a word";

/// A server that can be killed and started again over the same data.
struct Server {
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl Server {
    fn start(folder: PathBuf) -> Server {
        Server::on(folder, 0)
    }

    fn on(folder: PathBuf, port: u16) -> Server {
        Server::with(folder, port, &[])
    }

    fn with(folder: PathBuf, port: u16, more: &[&str]) -> Server {
        let port_file = folder.join("port");
        let _ = fs::remove_file(&port_file);
        fs::create_dir_all(&folder).unwrap();
        let words = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("words"))
            .unwrap();
        let child = crate::lab::engine("chdb")
            .arg(root().join("tests/lab/clickhouse_front.py"))
            .arg(&folder)
            .arg(&port_file)
            .args(["--user", "mailpulse", "--password", PASSWORD])
            .args(["--port", &port.to_string()])
            .args(more)
            .stdout(Stdio::null())
            .stderr(words)
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let port = loop {
            if let Some(port) = fs::read_to_string(&port_file).ok().and_then(|text| text.parse().ok()) {
                break port;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "no server after a minute: {}",
                folder.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        Server { folder, port, child }
    }

    /// After its end, by its own or ours: the same place again.
    fn again(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
        *self = Server::on(self.folder.clone(), self.port);
    }

    fn fault(&self, name: &str) {
        fs::write(self.folder.join("faults").join(name), "").unwrap();
    }

    fn url(&self) -> String {
        format!("clickhouse://mailpulse@127.0.0.1:{}/mail", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store that is sent to a server of its own.
struct Lab {
    place: Place,
    server: Server,
}

impl Lab {
    fn new() -> Lab {
        let place = Place::new();
        let server = Server::start(place.path("server"));
        let lab = Lab { place, server };
        lab.configure("");
        lab.run(&["store", "migrate"]).ends(0);
        lab
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "[store]\nurl = \"store\"\nship = \"{}\"\nsegment_rows_max = 1000\nquery_mib_max = 8192\nretain_days = 36500\n[privacy]\nlocal_parts = \
             \"keep\"\n[clickhouse]\nread_timeout_s = 20\ninsert_timeout_s = 5\nship_every_s = 1\n{more}",
            self.server.url()
        );
        self.place.write("mailpulse.toml", text);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command();
        command.args(args).env("MAILPULSE_CLICKHOUSE_PASSWORD", PASSWORD);
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    fn ship(&self) -> Run {
        self.run(&["store", "ship", "--once"])
    }

    /// Rows of an answer of the server.
    #[track_caller]
    fn there(&self, args: &[&str]) -> Vec<Value> {
        let url = self.server.url();
        let run = self
            .run(&[&["--store", &url, "query"], args, &["--format", "json"]].concat())
            .ends(0);
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out))
    }

    #[track_caller]
    fn here(&self, args: &[&str]) -> Vec<Value> {
        let run = self.run(&[&["query"], args, &["--format", "json"]].concat()).ends(0);
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out))
    }

    /// Both have the same rows, sums and lines.
    #[track_caller]
    fn assert_equal(&self) {
        let all = "SELECT event_id, ts_ms, host, source, kind, service, hostgroup, relay, first_hop, destination, queue_id, \
            message_key, client, client_ip, sender, recipient, remote_host, remote_ip, bytes, messages, recipients, queue_ms, \
            delivery_ms, smtp_code, enhanced_code, reason, provider_code, origin, direction, provider FROM events ORDER BY event_id, kind";
        let rates = "SELECT ts_ms, service, hostgroup, relay, kind, destination, SUM(messages) AS m, SUM(recipients) AS r, \
            SUM(attempts) AS a, SUM(bytes) AS b FROM rates GROUP BY ts_ms, service, hostgroup, relay, kind, destination \
            ORDER BY ts_ms, service, hostgroup, relay, kind, destination";
        let sources = "SELECT ts_ms, host, source, lines, events, ignored, unparsed, bytes, foreign_lines FROM sources WHERE \
            lines > 0 ORDER BY ts_ms, host, source";
        for sql in [all, rates, sources] {
            crate::util::assert_same_answers(&self.here(&["--sql", sql]), &self.there(&["--sql", sql]));
        }
    }

    /// What waits to be sent.
    fn waiting(&self) -> mailpulse::store::catalogue::OutboxState {
        self.place.store().outbox().waiting().unwrap().expect("an outbox")
    }
}
