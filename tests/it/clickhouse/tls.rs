//! TLS to a ClickHouse: an authority of one's own, made by openssl.

use super::{Lab, PASSWORD, Server};
use crate::logs::simulated;
use crate::util::{Place, Run};
use crate::watch_tls::{authority, signed};
use std::fs;

/// A server over TLS whose certificate `ours.pem` vouches for, and a configuration that sends there.
fn lab() -> Lab {
    let place = Place::new();
    let ours = authority(&place, "ours");
    authority(&place, "theirs");
    let (cert, key) = signed(&place, &ours, "localhost", "2");
    let both = [fs::read(&cert).unwrap(), fs::read(&key).unwrap()].concat();
    let pem = place.write("both.pem", both);
    let server = Server::with(place.path("server"), 0, &["--tls", pem.to_str().unwrap()]);
    Lab { place, server }
}

impl Lab {
    fn secure(&self, ca: &str) {
        let url = self.secure_url();
        let text = format!(
            "[store]\nurl = \"store\"\nship = \"{url}\"\nretain_days = 36500\n[clickhouse]\npassword_file = \"word\"\n\
             ship_every_s = 1\n{ca}\n[[source]]\nkind = \"exim\"\nhost = \"mx1\"\npaths = [\"logs/mainlog*\"]\n"
        );
        self.place.write("mailpulse.toml", text);
        self.place.write("word", PASSWORD);
    }

    fn secure_url(&self) -> String {
        format!("clickhouses://mailpulse@localhost:{}/mail", self.server.port)
    }

    /// The program as it is, without a password in its environment.
    fn plainly(&self, args: &[&str]) -> Run {
        self.place.run(args)
    }
}

#[test]
#[ignore = "lab: needs chdb and openssl"]
fn an_authority_of_ones_own_vouches_for_every_command_that_speaks_to_a_clickhouse() {
    let lab = lab();
    let url = lab.secure_url();
    lab.place.write("logs/mainlog", simulated(200_000, 73));
    lab.secure("");
    lab.plainly(&["store", "migrate"]).ends(2).says(&[
        "no trusted authority has signed the server's certificate: name its authority's PEM file with `ca_file` of \
         [clickhouse]",
    ]);
    lab.secure("ca_file = \"theirs.pem\"");
    lab.plainly(&["store", "migrate"])
        .ends(2)
        .says(&["no trusted authority has signed"]);
    lab.secure("ca_file = \"ours.pem\"");
    assert_eq!(lab.plainly(&["check"]).ends(0).err, "");
    lab.plainly(&["store", "migrate"]).ends(0);
    // The sender of `tail`, and the one by hand.
    let mut child = lab.place.command().arg("tail").spawn().unwrap();
    let count = || {
        lab.plainly(&[
            "--store",
            &url,
            "query",
            "--sql",
            "SELECT SUM(lines) AS n FROM sources",
            "--format",
            "csv",
        ])
    };
    let begin = std::time::Instant::now();
    while count()
        .ends(0)
        .out
        .lines()
        .nth(1)
        .is_none_or(|line| line.parse::<u64>().unwrap_or(0) == 0)
    {
        assert!(begin.elapsed().as_secs() < 60, "nothing arrives");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    crate::util::stop(&mut child);
    lab.plainly(&["store", "ship", "--once"]).ends(0);
    let asks: [&[&str]; 6] = [
        &["query", "top_services"],
        &["status"],
        &["services"],
        &["routes"],
        &["graph", "--plain"],
        &["store", "migrate", "--dry-run"],
    ];
    for ask in asks {
        lab.plainly(&[&["--store", &url][..], ask].concat()).ends(0);
    }
}

#[test]
#[ignore = "lab: needs chdb and openssl"]
fn a_file_that_is_none_is_told_by_check_with_its_place() {
    let lab = lab();
    lab.secure("ca_file = \"ours.pem\"");
    for (content, why) in [
        ("no PEM", "it contains no certificate"),
        ("", "it contains no certificate"),
    ] {
        lab.place.write("ours.pem", content);
        lab.plainly(&["check"])
            .ends(2)
            .says(&["mailpulse.toml:8", "ours.pem", why]);
        lab.plainly(&["store", "migrate"])
            .ends(2)
            .says(&["ours.pem", why, "as PEM"]);
    }
    fs::remove_file(lab.place.path("ours.pem")).unwrap();
    lab.plainly(&["check"])
        .ends(2)
        .says(&["mailpulse.toml:8", "ours.pem", "No such file"]);
    fs::create_dir(lab.place.path("ours.pem")).unwrap();
    lab.plainly(&["check"])
        .ends(2)
        .says(&["mailpulse.toml:8", "ours.pem", "Is a directory"]);
    // Alarms have the same key, and the same check.
    fs::remove_dir(lab.place.path("ours.pem")).unwrap();
    lab.place.write("hook.pem", "");
    lab.place.write(
        "mailpulse.toml",
        "[store]\nurl = \"store\"\n[[alert]]\nkind = \"webhook\"\nurl = \"https://localhost:1\"\nca_file = \"hook.pem\"\n",
    );
    lab.plainly(&["check"])
        .ends(2)
        .says(&["mailpulse.toml:6", "hook.pem", "it contains no certificate"]);
}

/// The driver's own connector loads the machine's authorities even for plain HTTP, and panics where there are none.
#[test]
#[ignore = "lab: needs chdb and openssl"]
fn a_machine_without_authorities_speaks_plain_and_is_told_what_tls_needs() {
    let lab = Lab::new();
    let without = |args: &[&str]| {
        let mut command = lab.command(args);
        command
            .env("SSL_CERT_FILE", lab.place.path("none.pem"))
            .env("SSL_CERT_DIR", lab.place.path("none"));
        Run::of(command.output().unwrap())
    };
    lab.place.write("none.pem", "");
    without(&["store", "migrate"]).ends(0);
    let url = lab.server.url().replace("clickhouse:", "clickhouses:");
    without(&["--store", &url, "store", "migrate"])
        .ends(2)
        .says(&["ca-certificates", "`ca_file` of [clickhouse]"]);
}
