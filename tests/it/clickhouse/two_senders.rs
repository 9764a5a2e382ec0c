//! A sender by hand beside the one of `tail`: neither makes the other end, and each row arrives once.

use super::{Lab, Server};
use crate::logs::simulated;
use crate::util::stop;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A lab whose `tail` follows `logs/mainlog`.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.place.write("logs/mainlog", simulated(200_000, 81));
    let folder = lab.place.path("").display().to_string();
    lab.configure(&format!(
        "[tail]\npoll_ms = 50\n[[source]]\nkind = \"exim\"\nhost = \"mx1\"\npaths = [\"{folder}/logs/mainlog*\"]\n"
    ));
    lab
}

impl Lab {
    fn spawn(&self, args: &[&str], words: &str) -> Child {
        let words = fs::File::create(self.place.path(words)).unwrap();
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(words).spawn().unwrap()
    }

    fn words(&self, name: &str) -> String {
        fs::read_to_string(self.place.path(name)).unwrap()
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_tail_that_starts_beside_a_sender_by_hand_reads_and_sends_when_that_ends() {
    let lab = lab();
    lab.run(&["backfill", "-q"]).ends(0);
    let mut manual = lab.spawn(&["store", "ship"], "ship.words");
    until("all is sent", || lab.waiting().payloads == 0);
    let mut tail = lab.spawn(&["tail"], "tail.words");
    let more = simulated(100_000, 82);
    let log = lab.place.path("logs/mainlog");
    let mut file = fs::File::options().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, &more).unwrap();
    let lines = crate::logs::lines(&fs::read(&log).unwrap());
    let here = || lab.here(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"].as_u64();
    until("tail reads on", || here() == Some(lines));
    let told = format!(
        "another mailpulse already sends from this store (process {})",
        manual.id()
    );
    until("it is told once", || lab.words("tail.words").contains(&told));
    let status = lab.run(&["status"]).ends(0);
    assert!(status.out.contains(&told), "{}", status.out);
    assert_eq!(tail.try_wait().unwrap(), None, "tail goes on");
    until("the sender by hand sends what tail reads", || {
        lab.waiting().payloads == 0
    });
    manual.kill().unwrap();
    manual.wait().unwrap();
    until("the sender of tail takes over", || {
        !lab.run(&["status"]).out.contains("another mailpulse")
    });
    assert_eq!(lab.words("tail.words").matches("another mailpulse").count(), 1);
    stop(&mut tail);
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_sender_by_hand_beside_a_tail_is_refused_and_what_was_refused_is_tried_again_by_tail() {
    let lab = lab();
    lab.server.fault("refuse");
    let mut tail = lab.spawn(&["tail"], "tail.words");
    until("a batch is refused", || {
        lab.place.path("store/catalogue.sqlite").exists() && {
            lab.place
                .store()
                .outbox()
                .waiting()
                .unwrap()
                .is_some_and(|waiting| waiting.refused > 0)
        }
    });
    let run = lab.ship().ends(2);
    let told = format!(
        "another mailpulse already sends from this store (process {})",
        tail.id()
    );
    assert!(run.err.contains(&told), "{}", run.err);
    let again = lab.run(&["store", "ship", "--once", "--retry-refused"]).ends(0);
    assert!(
        again
            .out
            .contains("payloads are tried again, by the mailpulse that already sends"),
        "{}",
        again.out
    );
    until("tail sends it", || {
        lab.waiting().refused == 0 && lab.waiting().payloads == 0
    });
    assert_eq!(tail.try_wait().unwrap(), None, "tail goes on");
    stop(&mut tail);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn why_nothing_is_sent_is_shown_by_status_until_it_is() {
    let mut lab = lab();
    lab.server.child.kill().unwrap();
    lab.server.child.wait().unwrap();
    let mut tail = lab.spawn(&["tail"], "tail.words");
    let shown = || match lab.place.path("store/catalogue.sqlite").exists() {
        true => lab.run(&["status"]).out,
        false => String::new(),
    };
    until("it is shown", || shown().contains("that the server is running"));
    assert!(shown().contains("sender: clickhouse://"), "{}", shown());
    let (folder, port) = (lab.server.folder.clone(), lab.server.port);
    let mut again = Server::on(folder, port);
    until("it has passed", || !shown().contains("sender:"));
    stop(&mut tail);
    let _ = again.child.kill();
    let _ = again.child.wait();
}
