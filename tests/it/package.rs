//! The Debian package and its units: built from the program under test, and installed in a clean root.

use crate::lab;
use crate::util::{PROGRAM, Run};
use std::path::{Path, PathBuf};
use std::process::Command;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn must(command: &mut Command) -> Run {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Run::of(output).ends(0)
}

fn build(to: &Path) {
    // …/debug/mailpulse
    let target = Path::new(PROGRAM)
        .ancestors()
        .nth(2)
        .expect("a program lies in a target folder");
    must(
        lab::build_deb()
            .arg("dev")
            .env("BUILD_DEB_OUT", to)
            .env("CARGO_TARGET_DIR", target),
    );
}

/// A root with what dpkg wants to find, and the two groups that the user joins.
fn clean_root(root: &Path) {
    for folder in [
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/log",
        "etc",
        "usr/lib/sysusers.d",
        "run",
    ] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nadm:x:4:\nsystemd-journal:x:101:\n").unwrap();
}

#[test]
#[ignore = "lab: needs cargo-deb and dpkg"]
fn the_package_installs_into_a_clean_root_and_goes_again() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("mailpulse.deb");
    build(&package);
    let root = folder.path().join("root");
    clean_root(&root);
    let dpkg = |arguments: &[&str]| {
        must(
            lab::program("dpkg")
                .arg(format!("--root={}", root.display()))
                .args(["--force-depends", "--force-script-chrootless", "--force-not-root"])
                .args(arguments),
        )
    };
    dpkg(&["--install", package.to_str().unwrap()]);

    let version = must(Command::new(root.join("usr/bin/mailpulse")).arg("--version"));
    assert!(version.out.starts_with("mailpulse "), "{}", version.out);
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let user = read("etc/passwd");
    let user = user
        .lines()
        .find(|line| line.starts_with("mailpulse:"))
        .expect("a user mailpulse");
    assert!(
        user.contains("/var/lib/mailpulse") && user.ends_with("nologin"),
        "{user}"
    );
    let groups = read("etc/group");
    for group in ["adm", "systemd-journal"] {
        let line = groups
            .lines()
            .find(|line| line.starts_with(&format!("{group}:")))
            .unwrap();
        assert!(line.ends_with(":mailpulse"), "{line}");
    }
    assert!(read("usr/lib/systemd/system/mailpulse.service").contains("Type=notify"));
    for path in [
        "usr/share/man/man1/mailpulse.1.gz",
        "usr/share/man/man1/mailpulse-backfill.1.gz",
        "usr/share/bash-completion/completions/mailpulse",
        "usr/share/zsh/vendor-completions/_mailpulse",
        "usr/share/fish/vendor_completions.d/mailpulse.fish",
        "usr/share/doc/mailpulse/copyright",
        "usr/share/doc/mailpulse/examples/wikimedia.toml",
    ] {
        assert!(root.join(path).is_file(), "{path}");
    }
    // Nothing is followed, and nothing is started, before there is a configuration.
    assert!(!root.join("etc/mailpulse/mailpulse.toml").exists());
    assert!(
        !root
            .join("etc/systemd/system/multi-user.target.wants/mailpulse.service")
            .exists()
    );

    std::fs::create_dir_all(root.join("var/lib/mailpulse/segments")).unwrap();
    dpkg(&["--remove", "mailpulse"]);
    assert!(!root.join("usr/bin/mailpulse").exists());
    assert!(root.join("var/lib/mailpulse").exists(), "a removal keeps the store");
    dpkg(&["--purge", "mailpulse"]);
    assert!(!root.join("var/lib/mailpulse").exists(), "a purge takes the store");
}

/// The unit was the tail once: what is enabled on a host is what runs after the upgrade, and nothing else. The package's scripts
/// work on a folder, as dpkg runs them with `--root`.
#[test]
#[ignore = "lab: needs systemctl"]
fn an_upgrade_from_the_tails_unit_keeps_what_was_enabled() {
    let folder = tempfile::tempdir().unwrap();
    for (name, before, after) in [
        ("both", &["mailpulse", "mailpulse-watch"][..], &["mailpulse"][..]),
        ("tail", &["mailpulse"], &["mailpulse-tail"]),
        ("watch", &["mailpulse-watch"], &["mailpulse-watch"]),
        ("none", &[], &[]),
    ] {
        let root = folder.path().join(name);
        clean_root(&root);
        let installed = root.join("usr/lib/systemd/system");
        std::fs::create_dir_all(&installed).unwrap();
        let unit = |name: &str| std::fs::read_to_string(checkout().join("dist/systemd").join(name)).unwrap();
        let write = |name: &str, text: String| std::fs::write(installed.join(name), text).unwrap();
        // What an earlier version had in its place.
        write("mailpulse.service", unit("mailpulse-tail.service"));
        write("mailpulse-watch.service", unit("mailpulse-watch.service"));
        let units = |verb: &str, unit: &str| {
            let mut command = lab::program("systemctl");
            command.arg(format!("--root={}", root.display())).args([verb, unit]);
            command.output().unwrap().status.success()
        };
        for unit in before {
            assert!(units("enable", &format!("{unit}.service")));
        }
        let script = |name: &str, arguments: [&str; 2]| {
            let mut command = Command::new("bash");
            command.arg(checkout().join("dist/debian").join(name)).args(arguments);
            must(command.env("DPKG_ROOT", &root))
        };
        for upgrade in 0..2 {
            script("preinst", ["upgrade", "0.1.0"]);
            for name in ["mailpulse.service", "mailpulse-tail.service", "mailpulse-watch.service"] {
                write(name, unit(name));
            }
            script("postinst", ["configure", "0.1.0"]);
            let all = ["mailpulse", "mailpulse-tail", "mailpulse-watch"];
            let is_enabled = |unit: &&str| units("is-enabled", &format!("{unit}.service"));
            let enabled: Vec<&str> = all.into_iter().filter(is_enabled).collect();
            assert_eq!(enabled, after, "{name}, upgrade {upgrade}");
        }
        assert!(!root.join("var/lib/mailpulse/.upgrade-from-tail").exists());
    }
}

/// The units, with a program that is there.
fn units(to: &Path) -> Vec<PathBuf> {
    [
        "mailpulse.service",
        "mailpulse-tail.service",
        "mailpulse-watch.service",
        "mailpulse-serve.service",
    ]
    .map(|name| {
        let text = std::fs::read_to_string(checkout().join("dist/systemd").join(name)).unwrap();
        assert!(text.contains("ExecStart=/usr/bin/mailpulse "), "{name}");
        let text = text.replace("/usr/bin/mailpulse", PROGRAM);
        // The manual pages are not installed here.
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("Documentation="))
            .fold(String::new(), |text, line| text + line + "\n");
        let path = to.join(name);
        std::fs::write(&path, text).unwrap();
        path
    })
    .to_vec()
}

#[test]
#[ignore = "lab: needs systemd-analyze"]
fn systemd_finds_no_fault_with_the_units_and_little_exposure() {
    let folder = tempfile::tempdir().unwrap();
    for unit in units(folder.path()) {
        let verified = must(lab::program("systemd-analyze").arg("verify").arg(&unit));
        assert_eq!(verified.err, "", "{}", unit.display());
        // 1.5 of 10: what is left is that it may reach the network, and that its group may read its store.
        must(
            lab::program("systemd-analyze")
                .args(["security", "--offline=true", "--threshold=20"])
                .arg(&unit),
        );
    }
}

fn completions(shell: &str) -> String {
    must(Command::new(PROGRAM).args(["completions", shell])).out
}

/// All commands that the help lists, below a command, with their own: `store verify`.
fn commands(above: &[&str]) -> Vec<String> {
    let help = must(Command::new(PROGRAM).args(above).arg("--help")).out;
    let Some((_, listed)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    let mut all = Vec::new();
    for name in names {
        let path = [above, &[name]].concat();
        all.push(path.join(" "));
        all.extend(commands(&path));
    }
    all
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    must(Command::new(PROGRAM).arg("manual").arg(folder.path()));
    let page = std::fs::read_to_string(folder.path().join("mailpulse.1")).unwrap();
    let has = |page: &str, section: &str| {
        page.contains(&format!(".SH {section}\n")) || page.contains(&format!(".SH \"{section}\"\n"))
    };
    for section in [
        "NAME",
        "SYNOPSIS",
        "FILES",
        "ENVIRONMENT",
        "SIGNALS",
        "EXIT STATUS",
        "EXAMPLES",
    ] {
        assert!(has(&page, section), "{section}");
    }
    let shells = ["bash", "zsh", "fish"].map(|shell| (shell, completions(shell)));
    let all = commands(&[]);
    assert!(
        all.len() > 30 && all.iter().any(|name| name == "store verify"),
        "{all:?}"
    );
    for command in &all {
        let name = format!("mailpulse-{}.1", command.replace(' ', "-"));
        let page = std::fs::read_to_string(folder.path().join(&name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        for section in ["NAME", "SYNOPSIS", "SEE ALSO"] {
            assert!(has(&page, section), "{name} has no {section}");
        }
        let last = command.rsplit(' ').next().unwrap();
        for (shell, text) in &shells {
            assert!(text.contains(last), "{shell} does not complete {command}");
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        all.len() + 1,
        "a page is of no command"
    );
}

#[test]
fn a_shell_completes_commands_and_options() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mailpulse.bash");
    std::fs::write(&file, completions("bash")).unwrap();
    let complete = |words: &[&str]| {
        let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _mailpulse mailpulse \"${!#}\" \
                      \"${COMP_WORDS[COMP_CWORD - 1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash"]).arg(&file).args(words);
        must(&mut command).out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["mailpulse", "doc"]), ["doctor"]);
    assert_eq!(complete(&["mailpulse", "top", "--on"]), ["--once"]);
    assert_eq!(complete(&["mailpulse", "store", "verif"]), ["verify"]);
    assert!(complete(&["mailpulse", "top", "--format", ""]).contains(&"json".to_owned()));
}

#[test]
#[ignore = "lab: needs man, zsh, and fish"]
fn man_and_the_shells_find_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    must(Command::new(PROGRAM).arg("manual").arg(folder.path()));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let page = entry.unwrap().path();
        let mut man = lab::program("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&page)
            .env("MANWIDTH", "100");
        let shown = must(man.env("LC_ALL", "C.UTF-8"));
        assert_eq!(shown.err, "", "{}", page.display());
        assert!(shown.out.contains("SYNOPSIS"), "{}", page.display());
    }
    for shell in ["zsh", "fish"] {
        let file = folder.path().join(shell);
        std::fs::write(&file, completions(shell)).unwrap();
        let checked = must(lab::program(shell).arg("-n").arg(&file));
        assert_eq!(checked.err, "", "{shell}");
    }
}
