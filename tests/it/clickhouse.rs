//! ClickHouse: its own engine behind an HTTP front on loopback (tests/lab/clickhouse_front.py). The same questions have the
//! same answers there, and what is sent arrives once, whatever happens on the way.
//!
//! MAILPULSE_KILLS (default 15) says how often the sender is killed.

use crate::logs::{root, simulated};
use crate::util::{Place, Run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
        let home = std::env::var("HOME").unwrap_or_default();
        let chdb = std::env::var("MAILPULSE_CHDB").unwrap_or(format!("{home}/.cache/mailpulse-lab/chdb-26.9.0"));
        let python = format!("{chdb}/bin/python3");
        assert!(
            PathBuf::from(&python).exists(),
            "{python} is not there: tests/run installs ClickHouse's engine (chdb-core) beside it; without it nothing shows \
             that shipping works"
        );
        let port_file = folder.join("port");
        let _ = fs::remove_file(&port_file);
        fs::create_dir_all(&folder).unwrap();
        let words = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("words"))
            .unwrap();
        let child = Command::new(python)
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
            "[store]\nurl = \"store\"\nship = \"{}\"\nsegment_rows_max = 1000\nretain_days = 36500\n[privacy]\nlocal_parts = \
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
            delivery_ms, smtp_code, enhanced_code, reason FROM events ORDER BY event_id, kind";
        let rates = "SELECT ts_ms, service, hostgroup, relay, kind, destination, SUM(messages) AS m, SUM(recipients) AS r, \
            SUM(attempts) AS a, SUM(bytes) AS b FROM rates GROUP BY ts_ms, service, hostgroup, relay, kind, destination \
            ORDER BY ts_ms, service, hostgroup, relay, kind, destination";
        let sources = "SELECT ts_ms, host, source, lines, events, ignored, unparsed, bytes FROM sources WHERE lines > 0 ORDER BY \
            ts_ms, host, source";
        for sql in [all, rates, sources] {
            crate::util::assert_same_answers(&self.here(&["--sql", sql]), &self.there(&["--sql", sql]));
        }
    }

    /// What waits to be sent.
    fn waiting(&self) -> mailpulse::store::outbox::Waiting {
        self.place.store().waiting().unwrap().expect("an outbox")
    }
}

/// Logs of two relays and the applications: a small copy of the outage, hosts handing mail to each other.
fn outage(place: &Place) -> PathBuf {
    let to = place.path("outage");
    let run = Run::of(
        Command::new(crate::util::PROGRAM)
            .args([
                "simulate",
                "--history-days",
                "2",
                "--scale",
                "0.05",
                "--seed",
                "3",
                "--outage",
            ])
            .arg(&to)
            .output()
            .unwrap(),
    );
    run.ends(0);
    to
}

impl Lab {
    /// Every command that asks answers the same from the server as from the folder.
    fn assert_same_answers(&self, window: &[&str]) {
        let questions: [&[&str]; 7] = [
            &["services"],
            &["services", "--hostgroups"],
            &["services", "discover"],
            &["routes", "--format", "json"],
            &["detect", "--format", "json"],
            &["incident", "--format", "markdown"],
            &["incident", "--format", "json"],
        ];
        let url = self.server.url();
        for question in questions {
            let args = [question, window].concat();
            let (here, there) = (self.run(&args), self.run(&[&args[..], &["--store", &url]].concat()));
            assert_eq!(here.code, there.code, "{question:?}: {} {}", here.err, there.err);
            assert!(here.out.len() > 100, "{question:?} answers {}", here.out);
            assert_eq!(here.out, there.out, "{question:?}");
        }
        let status = |more: &[&str]| -> Vec<Value> {
            let asked = self.run(&[&["status", "--format", "json"][..], more].concat()).ends(0);
            serde_json::from_str(&asked.out).unwrap()
        };
        let rows = |status: &[Value]| -> Vec<String> {
            let keys = ["host", "source", "lines", "events", "ignored", "unparsed"];
            let part = |row: &Value| keys.map(|key| row[key].to_string()).join(" ");
            status.iter().map(part).collect()
        };
        let (here, there) = (status(&[]), status(&["--store", &url]));
        assert!(here.len() >= 2);
        assert_eq!(rows(&here), rows(&there));
        let nagios = self.run(&["status", "--nagios", "--store", &url]).ends(0);
        assert!(nagios.out.starts_with("MAILPULSE OK"), "{}", nagios.out);
        // What was told of a server is kept apart from what was told of the folder.
        let watched = self.run(&["watch", "--once", "--store", &url]);
        assert!([0, 1].contains(&watched.code), "{}", watched.err);
        assert!(self.place.path("store/alerts-127.0.0.1-mail.json").exists());
    }
}

#[test]
fn every_named_query_has_the_same_rows_on_both_engines() {
    let lab = Lab::new();
    let logs = outage(&lab.place);
    let config = fs::read_to_string(logs.join("mailpulse.toml")).unwrap();
    let rest = config
        .split_once("\n[[")
        .map(|(_, rest)| format!("[[{rest}"))
        .expect("sources");
    let rest = rest.replace("paths = [\"", &format!("paths = [\"{}/", logs.display()));
    lab.configure(&rest);
    lab.run(&["backfill", "-q"]).ends(0);
    let shipped = lab.ship().ends(0);
    eprintln!("{}", shipped.out);
    lab.assert_equal();
    let window = ["--since", "2018-06-06T12:00Z", "--until", "2018-06-07T06:00Z"];
    let list = lab.here(&["--list"]);
    assert!(list.len() >= 12);
    for query in list.iter().map(|row| row["query"].as_str().unwrap()) {
        let args = [&[query][..], &window].concat();
        let (here, there) = (lab.here(&args), lab.there(&args));
        assert!(!here.is_empty(), "{query} answers nothing");
        assert_eq!(here, there, "{query}");
    }
    for by in ["service", "hostgroup", "relay", "kind"] {
        let draw = |store: &[&str], name: &str| {
            let out = lab.place.path(name);
            let args = ["graph", "--by", by, "--out", out.to_str().unwrap()];
            lab.run(&[store, &args, &window].concat()).ends(0);
            fs::read_to_string(out).unwrap()
        };
        let here = draw(&[], "here.svg");
        assert!(here.contains("<path"), "{here}");
        assert!(
            here == draw(&["--store", &lab.server.url()], "there.svg"),
            "the graphs by {by} differ"
        );
    }
    lab.assert_same_answers(&window);
}

#[test]
fn what_is_learnt_after_sending_arrives_too() {
    let lab = Lab::new();
    let log = simulated(2_000_000, 11);
    let (older, newer) = crate::logs::cut(&log, 0.5);
    // The newer half first: its deliveries have no sender until the older half is read.
    let newer = lab.place.write("mainlog", newer);
    let older = lab.place.write("mainlog.1", older);
    for path in [&newer, &older] {
        lab.run(&["backfill", "-q", "--host", "mx1", path.to_str().unwrap()])
            .ends(0);
        lab.ship().ends(0);
        lab.assert_equal();
    }
    lab.run(&["store", "compact"]).ends(0);
    assert!(
        lab.ship().ends(0).out.starts_with("0 rows"),
        "compaction changes no row"
    );
    lab.assert_equal();
}

#[test]
fn a_store_that_was_there_before_is_sent_as_it_is() {
    let lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    lab.place
        .write("mailpulse.toml", config.replace("ship = ", "# ship = "));
    let log = lab.place.write("mainlog", simulated(1_000_000, 12));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.place.write("mailpulse.toml", config);
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.ship().ends(0);
    lab.assert_equal();
    assert_eq!(lab.waiting().payloads, 0);
    assert_eq!(lab.waiting().bytes, 0);
    assert_eq!(fs::read_dir(lab.place.path("store/outbox")).unwrap().count(), 0);
}

#[test]
fn a_gap_in_the_sending_is_told_and_everything_can_be_sent_anew() {
    let lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    let backfill = |name: &str, seed: u64| {
        let log = lab.place.write(name, simulated(300_000, seed));
        lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
    };
    backfill("mainlog-a", 51).ends(0);
    lab.ship().ends(0);
    lab.place
        .write("mailpulse.toml", config.replace("ship = ", "# ship = "));
    backfill("mainlog-b", 52).ends(0);
    lab.place.write("mailpulse.toml", config.replace("/mail\"", "/fresh\""));
    let run = backfill("mainlog-c", 53).ends(2);
    assert!(run.err.contains("--anew"), "{}", run.err);
    lab.run(&["store", "migrate"]).ends(0);
    lab.run(&["store", "ship", "--once", "--anew"]).ends(0);
    backfill("mainlog-c", 53).ends(0);
    lab.ship().ends(0);
    let fresh = format!("{}fresh", lab.server.url().strip_suffix("mail").unwrap());
    let sql = "SELECT event_id, service, kind FROM events ORDER BY event_id, kind";
    let there = lab
        .run(&["--store", &fresh, "query", "--sql", sql, "--format", "json"])
        .ends(0);
    let there: Vec<Value> = serde_json::from_str(&there.out).unwrap();
    crate::util::assert_same_answers(&lab.here(&["--sql", sql]), &there);
}

#[test]
fn a_correction_waits_for_rows_that_were_refused() {
    let lab = Lab::new();
    let log = simulated(1_000_000, 61);
    let (older, newer) = crate::logs::cut(&log, 0.5);
    let newer = lab.place.write("mainlog", newer);
    let older = lab.place.write("mainlog.1", older);
    lab.run(&["backfill", "-q", "--host", "mx1", newer.to_str().unwrap()])
        .ends(0);
    lab.server.fault("refuse");
    lab.ship().ends(1);
    // What the older half tells of the newer's deliveries comes while these are aside.
    lab.run(&["backfill", "-q", "--host", "mx1", older.to_str().unwrap()])
        .ends(0);
    lab.ship().ends(0);
    assert!(lab.waiting().payloads > 0, "the corrections wait: {:?}", lab.waiting());
    lab.run(&["store", "ship", "--once", "--retry-refused"]).ends(0);
    lab.assert_equal();
    assert_eq!(lab.waiting().payloads, 0);
}

#[test]
fn fault_27_an_answer_that_is_lost_after_the_commit() {
    let mut lab = Lab::new();
    let log = lab.place.write("mainlog", simulated(1_000_000, 13));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    for fault in ["lose-answer", "unavailable", "die-before", "die-after"] {
        lab.server.fault(fault);
        let run = lab.ship().ends(2);
        assert!(
            run.err.contains("clickhouse://mailpulse@127.0.0.1"),
            "{fault}: {}",
            run.err
        );
        assert!(!run.err.contains(PASSWORD), "{}", run.err);
        if fault.starts_with("die") {
            lab.server.again();
        }
    }
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
fn fault_28_a_batch_that_is_refused_for_ever() {
    let lab = Lab::new();
    let log = lab.place.write("mainlog", simulated(1_000_000, 14));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.server.fault("refuse");
    let run = lab.ship().ends(1);
    assert!(run.err.contains("Type mismatch"), "{}", run.err);
    assert!(run.out.contains("1 batches set aside"), "{}", run.out);
    let status = lab.run(&["status", "--stale-after", "9999d"]).ends(0);
    assert!(status.out.contains("refused and are aside"), "{}", status.out);
    let nagios = lab.run(&["status", "--nagios"]).ends(1);
    assert!(nagios.out.contains("refused by the ClickHouse"), "{}", nagios.out);
    let run = lab.run(&["store", "ship", "--once", "--retry-refused"]).ends(0);
    assert!(run.out.contains("tried again"), "{}", run.out);
    lab.assert_equal();
}

#[test]
fn fault_23_a_server_that_is_away_fills_the_outbox_to_its_limit_and_nothing_is_lost() {
    let mut lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    lab.place.write(
        "mailpulse.toml",
        config.replace("segment_rows_max", "outbox_mib_max = 1\nsegment_rows_max"),
    );
    lab.server.child.kill().unwrap();
    let logs: Vec<PathBuf> = (0..4)
        .map(|n| lab.place.write(&format!("mainlog-{n}"), simulated(12_000_000, 20 + n)))
        .collect();
    let paths: Vec<&str> = logs.iter().map(|path| path.to_str().unwrap()).collect();
    let args = [&["backfill", "-q", "--host", "mx1"][..], &paths].concat();
    let run = lab.run(&args).ends(2);
    assert!(run.err.contains("wait to be sent"), "{}", run.err);
    let run = lab.ship().ends(2);
    assert!(run.err.contains("127.0.0.1"), "{}", run.err);
    lab.server.again();
    for _ in 0..40 {
        lab.ship().ends(0);
        if lab.run(&args).code == 0 {
            break;
        }
    }
    lab.run(&args).ends(0);
    lab.ship().ends(0);
    let lines: u64 = logs
        .iter()
        .map(|path| crate::logs::lines(&fs::read(path).unwrap()))
        .sum();
    assert_eq!(
        lab.there(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"],
        lines
    );
    lab.assert_equal();
}

#[test]
fn killed_while_it_reads_and_sends_each_row_arrives_once() {
    let kills: u64 = crate::util::number_from("MAILPULSE_KILLS", 15);
    let lab = Lab::new();
    fs::create_dir_all(lab.place.path("logs")).unwrap();
    lab.configure(&format!(
        "[tail]\npoll_ms = 50\n[[source]]\nkind = \"exim\"\nhost = \"mx1\"\npaths = [\"{}/logs/mainlog*\"]\n",
        lab.place.path("").display()
    ));
    let log = simulated(400_000 * kills.max(4), 31);
    let pieces = log.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>();
    let share = pieces.len() / kills as usize + 1;
    let path = lab.place.path("logs/mainlog");
    let mut dice = 0x2018_0606_u64;
    for (life, lines) in pieces.chunks(share).enumerate() {
        let mut child = lab
            .command(&["tail"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut file = fs::File::options().create(true).append(true).open(&path).unwrap();
        for part in lines.chunks(share / 8 + 1) {
            std::io::Write::write_all(&mut file, &part.concat()).unwrap();
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis((dice >> 33) % 120));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if life % 5 == 4 {
            fs::rename(&path, lab.place.path(&format!("logs/mainlog.{}", 9_999 - life))).unwrap();
        }
        if life % 3 == 1 {
            lab.server.fault("lose-answer");
        }
    }
    lab.run(&["backfill", "-q"]).ends(0);
    let _ = lab.ship();
    lab.ship().ends(0);
    let lines = crate::logs::lines(&log);
    assert_eq!(
        lab.here(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"],
        lines
    );
    lab.assert_equal();
    eprintln!("{kills} kills while {lines} lines were read and sent: none lost, none doubled, here and in ClickHouse");
}

#[test]
fn a_tail_sends_what_it_commits() {
    let lab = Lab::new();
    lab.place.write("logs/mainlog", simulated(300_000, 33));
    lab.configure(&format!(
        "[[source]]\nkind = \"exim\"\nhost = \"mx1\"\npaths = [\"{}/logs/mainlog*\"]\n",
        lab.place.path("").display()
    ));
    let mut child = lab.command(&["tail"]).spawn().unwrap();
    let begin = Instant::now();
    let lines = crate::logs::lines(&fs::read(lab.place.path("logs/mainlog")).unwrap());
    let count = || {
        lab.there(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"]
            .as_u64()
            .unwrap_or(0)
    };
    while count() < lines {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{} of {lines} lines",
            count()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    crate::util::stop(&mut child);
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
fn the_schema_is_made_once_and_a_foreign_one_is_left_alone() {
    let place = Place::new();
    let server = Server::start(place.path("server"));
    let lab = Lab { place, server };
    lab.configure("");
    let early = lab.ship();
    assert_eq!(early.code, 2, "no store yet: {}", early.err);
    let log = lab.place.write("mainlog", simulated(300_000, 15));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let run = lab.ship().ends(2);
    assert!(run.err.contains("mailpulse store migrate"), "{}", run.err);
    let dry = lab.run(&["store", "migrate", "--dry-run"]).ends(0);
    assert!(
        dry.out.contains("CREATE TABLE mail.events_log") && dry.out.contains("to be applied"),
        "{}",
        dry.out
    );
    let cluster = lab.run(&["store", "migrate", "--dry-run", "--cluster", "main"]).ends(0);
    for word in [
        "ReplicatedCollapsingMergeTree",
        "ON CLUSTER 'main'",
        "Distributed('main', 'mail', 'events_log'",
        "FROM mail.all_events_log",
    ] {
        assert!(cluster.out.contains(word), "{word}: {}", cluster.out);
    }
    assert!(
        lab.run(&["store", "migrate"])
            .ends(0)
            .out
            .contains("001_events: applied")
    );
    assert!(
        lab.run(&["store", "migrate"])
            .ends(0)
            .out
            .contains("001_events: is there")
    );
    lab.ship().ends(0);
    lab.assert_equal();
    let sql = |text: &str| {
        let http = format!("http://127.0.0.1:{}/", lab.server.port);
        let answer = ureq::post(&http)
            .header("X-ClickHouse-User", "mailpulse")
            .header("X-ClickHouse-Key", PASSWORD)
            .send(text)
            .unwrap();
        assert_eq!(answer.status(), 200);
    };
    // The window was switched off by somebody: a lost answer would count twice.
    sql("ALTER TABLE mail.events_log MODIFY SETTING non_replicated_deduplication_window = 0");
    lab.place.write("mainlog", simulated(400_000, 16));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let run = lab.ship().ends(2);
    assert!(
        run.err.contains("deduplication window") && run.err.contains("MODIFY SETTING"),
        "{}",
        run.err
    );
    sql("ALTER TABLE mail.events_log MODIFY SETTING non_replicated_deduplication_window = 10000");
    lab.ship().ends(0);
    // Applied by a newer program; applied with another text; made by somebody else.
    sql("INSERT INTO mail.schema_migrations (name, hash) VALUES ('099_later', 'x')");
    assert!(
        lab.run(&["store", "migrate"])
            .ends(2)
            .err
            .contains("099_later is newer than this program")
    );
    sql("CREATE DATABASE other");
    sql("CREATE TABLE other.events (a Int64) ENGINE = MergeTree ORDER BY a");
    let other = format!("{}other", lab.server.url().strip_suffix("mail").unwrap());
    let run = lab.run(&["--store", &other, "store", "migrate"]).ends(2);
    assert!(
        run.err.contains("other.events that mailpulse did not make"),
        "{}",
        run.err
    );
}

#[test]
fn mistakes_of_the_place_are_told_with_their_cure() {
    let lab = Lab::new();
    let url = lab.server.url();
    let run = Run::of(
        lab.place
            .command()
            .args(["--store", &url, "query", "top_services"])
            .env("MAILPULSE_CLICKHOUSE_PASSWORD", "wrong")
            .output()
            .unwrap(),
    )
    .ends(2);
    assert!(
        run.err.contains("MAILPULSE_CLICKHOUSE_PASSWORD") && !run.err.contains("wrong"),
        "{}",
        run.err
    );
    let run = lab
        .run(&[
            "--store",
            &format!("{}nowhere", url.strip_suffix("mail").unwrap()),
            "query",
            "top_services",
        ])
        .ends(2);
    assert!(run.err.contains("mailpulse store migrate"), "{}", run.err);
    let run = lab
        .run(&["--store", "clickhouse://127.0.0.1:1/mail", "query", "top_services"])
        .ends(2);
    assert!(run.err.contains("is the server running"), "{}", run.err);
    // TLS to a port that speaks none.
    let run = lab
        .run(&[
            "--store",
            &url.replace("clickhouse:", "clickhouses:"),
            "query",
            "top_services",
        ])
        .ends(2);
    assert!(run.err.contains("clickhouses://"), "{}", run.err);
    let run = lab.run(&["--store", &url, "detect"]).ends(2);
    assert!(run.err.contains("works on an embedded store"), "{}", run.err);
    let run = lab
        .run(&["--store", &url, "query", "--sql", "SELECT * FROM system.users"])
        .ends(2);
    assert!(run.err.contains("system"), "{}", run.err);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_and_a_known_one_is_not() {
    let place = Place::new();
    let (key, cert) = (place.path("key.pem"), place.path("cert.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let both = [fs::read(&cert).unwrap(), fs::read(&key).unwrap()].concat();
    let pem = place.write("both.pem", both);
    let server = Server::with(place.path("server"), 0, &["--tls", pem.to_str().unwrap()]);
    let url = format!("clickhouses://mailpulse@localhost:{}/mail", server.port);
    let migrate = |roots: &str| {
        let mut command = place.command();
        command.args(["--store", &url, "store", "migrate"]);
        command
            .env("MAILPULSE_CLICKHOUSE_PASSWORD", PASSWORD)
            .env("SSL_CERT_FILE", roots);
        Run::of(command.output().unwrap())
    };
    let run = migrate("/etc/ssl/certs/ca-certificates.crt").ends(2);
    assert!(
        run.err.contains("certificate") && run.err.contains("clickhouses://"),
        "{}",
        run.err
    );
    assert!(migrate(cert.to_str().unwrap()).ends(0).out.contains("applied"));
}

/// Debian's server is of 2018: too old for the schema, and a real process that answers, refuses, dies and comes back.
struct OldServer {
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl OldServer {
    fn start(folder: PathBuf, port: u16) -> OldServer {
        let shown = folder.display();
        for name in ["data", "tmp"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let config = format!(
            "<yandex><logger><level>warning</level><console>1</console></logger><http_port>{port}</http_port>\
             <listen_host>127.0.0.1</listen_host><path>{shown}/data/</path><tmp_path>{shown}/tmp/</tmp_path>\
             <users_config>{shown}/users.xml</users_config><default_profile>default</default_profile>\
             <default_database>default</default_database><mark_cache_size>1000000</mark_cache_size></yandex>"
        );
        let users = format!(
            "<yandex><profiles><default/></profiles><quotas><default/></quotas><users><mailpulse><password>{PASSWORD}\
             </password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></mailpulse>\
             </users></yandex>"
        );
        fs::write(folder.join("config.xml"), config).unwrap();
        fs::write(folder.join("users.xml"), users).unwrap();
        let words = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("words"))
            .unwrap();
        let child = Command::new("/usr/sbin/clickhouse-server")
            .arg(format!("--config-file={shown}/config.xml"))
            .current_dir(&folder)
            .stdout(words.try_clone().unwrap())
            .stderr(words)
            .spawn()
            .expect("clickhouse-server is there: apt-get install clickhouse-server (tests/run does)");
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let words = || fs::read_to_string(folder.join("words")).unwrap();
            assert!(begin.elapsed() < Duration::from_secs(60), "no server: {}", words());
            std::thread::sleep(Duration::from_millis(50));
        }
        OldServer { folder, port, child }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_server_process_answers_refuses_dies_and_comes_back() {
    use mailpulse::store::clickhouse::{Client, Error, Options, Place as Where};
    let place = Place::new();
    fs::create_dir_all(place.path("old")).unwrap();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut server = OldServer::start(place.path("old"), free);
    let at = Where::parse(&format!("clickhouse://mailpulse@127.0.0.1:{}/default", server.port)).unwrap();
    let options = Options {
        password: PASSWORD.to_owned(),
        read_timeout: Duration::from_secs(10),
        ..Options::default()
    };
    let client = Client::new(&at, &options).unwrap();
    client
        .execute("CREATE TABLE t (a Int64, b String) ENGINE = MergeTree ORDER BY a")
        .unwrap();
    client.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y''z')").unwrap();
    let sums = || client.rows("SELECT sum(a) AS s, max(b) AS m FROM t", &[]);
    assert_eq!(sums().unwrap()["data"], serde_json::json!([[3, "y'z"]]));
    // What it says is told with its number, and tells what can pass from what cannot.
    let refused = client.rows("SELECT missing FROM t", &[]).unwrap_err();
    assert!(refused.to_string().contains("missing"), "{refused}");
    let wrong = Client::new(
        &at,
        &Options {
            password: "wrong".to_owned(),
            ..options.clone()
        },
    )
    .unwrap();
    let refused = wrong.rows("SELECT 1", &[]).unwrap_err();
    assert!(
        refused.to_string().contains("MAILPULSE_CLICKHOUSE_PASSWORD"),
        "{refused}"
    );
    server.kill();
    let away = sums().unwrap_err();
    assert!(matches!(away, Error::Unavailable { .. }) && away.can_pass(), "{away}");
    let server = OldServer::start(server.folder.clone(), server.port);
    assert_eq!(
        sums().unwrap()["data"],
        serde_json::json!([[3, "y'z"]]),
        "port {}",
        server.port
    );
    let run = Run::of(
        place
            .command()
            .args(["--store", &at.to_string(), "store", "migrate"])
            .env("MAILPULSE_CLICKHOUSE_PASSWORD", PASSWORD)
            .output()
            .unwrap(),
    )
    .ends(2);
    assert!(run.err.contains("too old"), "{}", run.err);
}
