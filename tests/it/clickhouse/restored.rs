//! docs/backup.md where a server is sent to: the store is lost some time after its backup, and restored. The server goes on
//! having each row once.

use super::{Lab, PASSWORD};
use crate::logs::{cut, simulated};
use crate::tail::backup;
use crate::util::Run;
use std::fs;
use std::path::PathBuf;

/// A log that grows: its parts, appended one after the other.
struct GrowingLog {
    path: PathBuf,
    parts: Vec<Vec<u8>>,
}

impl GrowingLog {
    fn new(lab: &Lab, name: &str, seed: u64) -> GrowingLog {
        lab.configure(
            "[[source]]\nkind = \"exim\"\npaths = [\"logs/*\"]\nhost = \"mx1\"\n[[source]]\nkind = \"postfix\"\npaths = \
             [\"syslog/*\"]\nhost = \"mx2\"\n",
        );
        lab.place.write("syslog/mail.log", SYSLOG);
        let log = simulated(900_000, seed);
        let (first, rest) = cut(&log, 0.3);
        let (second, third) = cut(rest, 0.5);
        GrowingLog {
            path: lab.place.write(&format!("logs/{name}"), ""),
            parts: [third, second, first].map(<[u8]>::to_vec).to_vec(),
        }
    }

    /// Some more lines, which are read.
    fn grow(&mut self, lab: &Lab) {
        let mut log = fs::read(&self.path).unwrap();
        log.extend(self.parts.pop().expect("a part"));
        fs::write(&self.path, log).unwrap();
        self.read(lab);
    }

    fn read(&self, lab: &Lab) {
        lab.run(&["backfill", "-q"]).ends(0);
    }
}

fn lose_and_restore(lab: &Lab) -> Run {
    fs::rename(lab.place.path("store"), lab.place.path("store.lost")).unwrap();
    backup::run(&lab.place, "restore").ends(0)
}

/// A backup with payloads that wait, of which the server has all soon after, and with rows that are corrected later.
#[test]
#[ignore = "lab: needs chdb"]
fn a_store_that_is_restored_and_its_server_have_the_same_rows_once() {
    let lab = Lab::new();
    fs::create_dir(lab.place.path("backups")).unwrap();
    let mut log = GrowingLog::new(&lab, "mainlog", 81);
    log.grow(&lab);
    lab.ship().ends(0);
    log.grow(&lab);
    assert!(lab.waiting().payloads > 0, "something waits while the backup is made");
    backup::run(&lab.place, "backup").ends(0);
    lab.ship().ends(0);
    log.grow(&lab);
    lab.ship().ends(0);
    lab.assert_equal();
    let before = lab.there(&["--sql", COUNTS]);
    // Never sent; a line of another program is counted as such.
    let syslog = fs::read_to_string(lab.place.path("syslog/mail.log")).unwrap();
    lab.place.write("syslog/mail.log", syslog + FOREIGN_LINE);

    let restored = lose_and_restore(&lab);
    assert!(
        restored.out.contains("--keep-sent"),
        "it says what comes next: {}",
        restored.out
    );
    // Before the logs are read, and before somebody decides, nothing is sent.
    lab.ship().ends(2).says(&["--keep-sent", "--anew"]);
    assert_eq!(lab.there(&["--sql", COUNTS]), before);
    let kept = read_and_decided(&lab);
    assert!(kept.out.contains("compared: "), "{}", kept.out);
    lab.assert_equal();
    assert_eq!(lab.there(&["--sql", FOREIGN])[0]["n"], 1);
    // Sending goes on as before.
    lab.place.write("logs/more", simulated(200_000, 82));
    log.read(&lab);
    lab.ship().ends(0);
    lab.assert_equal();
    lab.place.verify();
}

const SYSLOG: &str = "2018-05-31T00:01:00.000000+00:00 mx2 postfix/qmgr[77]: 5F2A31C0: removed\n";
const FOREIGN_LINE: &str = "2018-05-31T00:01:01.000000+00:00 mx2 kernel: link is up\n";
const FOREIGN: &str = "SELECT SUM(foreign_lines) AS n FROM sources";
const COUNTS: &str = "SELECT kind, COUNT(*) AS n, SUM(messages) AS m FROM events GROUP BY kind ORDER BY kind";

/// The page's commands for a server that keeps its rows.
fn read_and_decided(lab: &Lab) -> Run {
    let mut shell = backup::shell(&lab.place, "restore-clickhouse");
    shell.env("MAILPULSE_CLICKHOUSE_PASSWORD", PASSWORD);
    Run::of(shell.output().unwrap()).ends(0)
}
