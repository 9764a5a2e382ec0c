//! Debian's logrotate in five modes, under a tail.

use super::bench::{Bench, lines};

/// Rotates as `logrotate --force` does with these words.
#[track_caller]
fn rotate(bench: &Bench, words: &str) {
    let config = bench.path("logrotate.conf");
    let log = bench.path("mainlog");
    std::fs::write(
        &config,
        format!("{} {{\n{words}\nrotate 4\nsu root root\n}}\n", log.display()),
    )
    .unwrap();
    std::os::unix::fs::PermissionsExt::set_mode(&mut std::fs::metadata(&config).unwrap().permissions(), 0o644);
    let output = crate::lab::program("/usr/sbin/logrotate")
        .args(["--force", "--state"])
        .arg(bench.path("logrotate.state"))
        .arg(&config)
        .output()
        .expect("logrotate starts");
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}");
}

/// Five generations, each with lines before and after the rotation, with looks in between and without.
fn rotations(words: &str, dated: bool) {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..20));
    let mut next = 20;
    bench.life(|life| {
        life.scan();
        for generation in 0..5 {
            bench.append("mainlog", lines(next..next + 10));
            next += 10;
            if generation % 2 == 0 {
                life.look();
            }
            rotate(&bench, words);
            // With dateext a second rotation of the same day is refused by logrotate itself.
            bench.append("mainlog", lines(next..next + 10));
            next += 10;
            if generation % 3 != 0 {
                life.look();
            }
            life.scan();
            if dated {
                break;
            }
        }
        // The oldest were removed by logrotate; all of them had been read.
        life.scan();
    });
    bench.life(|life| assert_eq!(life.scan().lines(), 0, "a restart adds nothing"));
    bench.assert_once(0..next);
}

#[test]
#[ignore = "lab: needs logrotate"]
fn logrotate_create() {
    rotations("create 0640", false);
}

#[test]
#[ignore = "lab: needs logrotate"]
fn logrotate_copytruncate() {
    rotations("copytruncate", false);
}

#[test]
#[ignore = "lab: needs logrotate"]
fn logrotate_compress() {
    rotations("compress\ncreate 0640", false);
}

#[test]
#[ignore = "lab: needs logrotate"]
fn logrotate_delaycompress() {
    rotations("compress\ndelaycompress\ncreate 0640", false);
}

#[test]
#[ignore = "lab: needs logrotate"]
fn logrotate_dateext() {
    rotations("dateext\ncompress\ncreate 0640", true);
}

#[test]
#[ignore = "lab: needs logrotate"]
fn logrotate_twice_between_two_scans() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..20));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(20..30));
        rotate(&bench, "compress\ncreate 0640");
        bench.append("mainlog", lines(30..40));
        rotate(&bench, "compress\ncreate 0640");
        bench.append("mainlog", lines(40..50));
        life.scan();
    });
    bench.assert_once(0..50);
}
