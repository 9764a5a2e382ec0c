//! Alarms over TLS: an authority of one's own, made by openssl, and a real TLS server.

use crate::lab;
use crate::logs::root;
use crate::util::Place;
use crate::watch::{ONCE, Running, begun, configure};
use crate::webhook::posted;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn openssl(args: &[&str], paths: &[(&str, &Path)]) {
    let mut command = lab::program("openssl");
    command.args(args);
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    let made = command.output().expect("openssl starts");
    assert!(made.status.success(), "{made:?}");
}

/// An authority: its certificate and key.
pub(crate) fn authority(place: &Place, name: &str) -> (PathBuf, PathBuf) {
    let (cert, key) = (place.path(&format!("{name}.pem")), place.path(&format!("{name}.key")));
    let subject = format!("/CN={name}");
    openssl(
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &subject,
        ],
        &[("-keyout", &key), ("-out", &cert)],
    );
    (cert, key)
}

/// A certificate for a name that the authority signed, and its key.
pub(crate) fn signed(place: &Place, (ca, ca_key): &(PathBuf, PathBuf), host: &str, days: &str) -> (PathBuf, PathBuf) {
    let path = |end: &str| place.path(&format!("{host}-{days}.{end}"));
    let (cert, key, request) = (path("pem"), path("key"), path("csr"));
    let subject = format!("/CN={host}");
    openssl(
        &["req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject],
        &[("-keyout", &key), ("-out", &request)],
    );
    let extension = place.write(
        "extension",
        format!("subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:FALSE\n"),
    );
    openssl(
        &["x509", "-req", "-CAcreateserial", "-days", days],
        &[
            ("-in", &request),
            ("-CA", ca),
            ("-CAkey", ca_key),
            ("-extfile", &extension),
            ("-out", &cert),
        ],
    );
    (cert, key)
}

/// What `webhook::hook` is, behind TLS.
fn tls_hook(out: &Path, cert: &Path, key: &Path) -> (Running, u16) {
    let mut child = lab::program("python3")
        .arg(root().join("tests/lab/webhook.py"))
        .args([out, cert, key])
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (Running(child), line.trim().parse().expect("a port"))
}

fn alerts(port: u16, ca: Option<&str>) -> String {
    let ca = ca.map(|ca| format!("ca_file = \"{ca}\"\n")).unwrap_or_default();
    ["webhook", "alertmanager"]
        .map(|kind| format!("[[alert]]\nkind = \"{kind}\"\nurl = \"https://localhost:{port}\"\n{ca}"))
        .concat()
}

#[test]
#[ignore = "lab: needs openssl and python3"]
fn an_authority_of_ones_own_vouches_for_webhook_and_alertmanager() {
    let place = begun("");
    let ours = authority(&place, "ours");
    authority(&place, "theirs");
    let (cert, key) = signed(&place, &ours, "localhost", "2");
    let out = place.path("posted");
    let (_hook, port) = tls_hook(&out, &cert, &key);

    // The machine does not know the authority, and neither does another's file.
    for ca in [None, Some("theirs.pem")] {
        configure(&place, &alerts(port, ca));
        place.run(&ONCE).ends(1).says(&[
            "not delivered",
            "no trusted authority has signed the server's certificate: name its authority's PEM file with `ca_file`",
        ]);
        assert!(posted(&out).is_empty());
    }
    configure(&place, &alerts(port, Some("ours.pem")));
    let run = place.run(&ONCE).ends(1);
    assert!(!run.err.contains("not delivered"), "{}", run.err);
    let all = posted(&out);
    let paths: Vec<&str> = all.iter().map(|post| post["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"/") && paths.contains(&"/api/v2/alerts"), "{paths:?}");
    let hook = all.iter().find(|post| post["path"] == "/").unwrap();
    let body: Value = serde_json::from_str(hook["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["alarm"]["series"]["relay"], "mx1001");
}

#[test]
#[ignore = "lab: needs openssl and python3"]
fn a_wrong_certificate_is_told_with_its_cure() {
    let place = begun("");
    let ours = authority(&place, "ours");
    let other = signed(&place, &ours, "alerts.example.org", "2");
    let (_hook, port) = tls_hook(&place.path("posted"), &other.0, &other.1);
    configure(&place, &alerts(port, Some("ours.pem")));
    place
        .run(&ONCE)
        .ends(1)
        .says(&["the certificate is for another name: use the name in the certificate in `url`"]);
    assert!(posted(&place.path("posted")).is_empty());

    let old = signed(&place, &ours, "localhost", "-1");
    let (_hook, port) = tls_hook(&place.path("posted"), &old.0, &old.1);
    configure(&place, &alerts(port, Some("ours.pem")));
    place
        .run(&ONCE)
        .ends(1)
        .says(&["the server's certificate has expired: renew it"]);

    // A file that is none is told before anything is watched.
    for (content, why) in [
        ("no PEM", "it contains no certificate"),
        ("", "it contains no certificate"),
    ] {
        place.write("ours.pem", content);
        place
            .run(&ONCE)
            .ends(2)
            .says(&["ours.pem", why, "needs the authority's certificate as PEM"]);
    }
    std::fs::remove_file(place.path("ours.pem")).unwrap();
    place.run(&ONCE).ends(2).says(&["ours.pem", "No such file"]);
}
