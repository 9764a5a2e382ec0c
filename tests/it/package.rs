//! The Debian package and its units: built from the program under test, and installed in a clean root.

use crate::lab;
use crate::util::{PROGRAM, Run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn must(command: &mut Command) -> Run {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Run::of(output).ends(0)
}

/// The package, built once for all tests.
fn package() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, package) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("mailpulse.deb");
        // …/debug/mailpulse
        let target = Path::new(PROGRAM)
            .ancestors()
            .nth(2)
            .expect("a program lies in a target folder");
        must(
            lab::build_deb()
                .arg("dev")
                .env("BUILD_DEB_OUT", &to)
                .env("CARGO_TARGET_DIR", target),
        );
        (folder, to)
    });
    package
}

/// A root with what dpkg wants to find, and the two groups that the user joins.
fn clean_root(root: &Path) {
    for folder in [
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/log",
        "etc/systemd/system",
        "usr/lib/sysusers.d",
        "var/lib/systemd",
        "run",
    ] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nadm:x:4:\nsystemd-journal:x:101:\n").unwrap();
}

/// A root in which dpkg works, of a machine without systemd.
struct Root(TempDir);

impl Root {
    fn new() -> Root {
        let root = Root(tempfile::tempdir().unwrap());
        clean_root(root.0.path());
        lab::program("dpkg");
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Runs dpkg; nobody can be asked anything.
    fn dpkg(&self, arguments: &[&str]) -> Run {
        must(
            lab::program("dpkg")
                .arg(format!("--root={}", self.0.path().display()))
                .args(["--force-depends", "--force-script-chrootless", "--force-not-root"])
                .args(arguments)
                .stdin(std::process::Stdio::null()),
        )
    }

    /// All files and folders, but for dpkg's own.
    fn all(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.0.path()).unwrap().display().to_string();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
                if !name.starts_with("var/lib/dpkg") && name != "var/log/dpkg.log" {
                    found.insert(name);
                }
            }
        }
        found
    }
}

/// The files of a folder of the project, by their names below it.
fn files_of(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![checkout().join(folder)];
    while let Some(open) = folders.pop() {
        for entry in std::fs::read_dir(open).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(
                    path.strip_prefix(checkout().join(folder))
                        .unwrap()
                        .display()
                        .to_string(),
                ),
            }
        }
    }
    found
}

/// The package with another version.
fn of_version(package: &Path, version: &str) -> PathBuf {
    let folder = package.with_file_name(format!("unpacked-{version}"));
    must(lab::program("dpkg-deb").arg("--raw-extract").arg(package).arg(&folder));
    let control = folder.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let of_version = |line: &str| match line.starts_with("Version: ") {
        true => format!("Version: {version}\n"),
        false => format!("{line}\n"),
    };
    std::fs::write(&control, text.lines().map(of_version).collect::<String>()).unwrap();
    let to = package.with_file_name(format!("{version}.deb"));
    must(
        lab::program("dpkg-deb")
            .args(["--root-owner-group", "-Znone", "--build"])
            .arg(&folder)
            .arg(&to),
    );
    to
}

#[test]
#[ignore = "lab: needs cargo-deb and dpkg"]
fn the_package_installs_into_a_clean_root_and_goes_again() {
    let package = package();
    let root = Root::new();
    let before = root.all();
    let installed = root.dpkg(&["--install", package.to_str().unwrap()]);
    assert!(
        installed.err.contains("mailpulse init /etc/mailpulse/mailpulse.toml"),
        "{}",
        installed.err
    );

    let version = must(Command::new(root.path("usr/bin/mailpulse")).arg("--version"));
    assert!(version.out.starts_with("mailpulse "), "{}", version.out);
    let user = root.read("etc/passwd");
    let user = user
        .lines()
        .find(|line| line.starts_with("mailpulse:"))
        .expect("a user mailpulse");
    assert!(
        user.contains("/var/lib/mailpulse") && user.ends_with("nologin"),
        "{user}"
    );
    let groups = root.read("etc/group");
    for group in ["adm", "systemd-journal"] {
        let line = groups
            .lines()
            .find(|line| line.starts_with(&format!("{group}:")))
            .unwrap();
        assert!(line.ends_with(":mailpulse"), "{line}");
    }
    holds_everything(&root);
    // Nothing is followed, and nothing is started, before there is a configuration.
    assert!(!root.path("etc/mailpulse/mailpulse.toml").exists());
    let wanted = "etc/systemd/system/multi-user.target.wants/mailpulse.service";
    assert!(!root.path(wanted).exists());

    // An upgrade leaves what is the operator's, and says nothing of a configuration that is there.
    let config = "[store]\nurl = \"file:///var/lib/mailpulse\"\n";
    std::fs::create_dir_all(root.path("etc/mailpulse/conf.d")).unwrap();
    std::fs::write(root.path("etc/mailpulse/mailpulse.toml"), config).unwrap();
    std::fs::create_dir_all(root.path("var/lib/mailpulse/segments")).unwrap();
    std::fs::write(root.path("var/lib/mailpulse/key"), "the key").unwrap();
    let upgrade = of_version(package, "99.0.0");
    let upgraded = root.dpkg(&["--install", upgrade.to_str().unwrap()]);
    assert!(!upgraded.err.contains("mailpulse init"), "{}", upgraded.err);
    assert_eq!(root.read("etc/mailpulse/mailpulse.toml"), config);
    assert_eq!(root.read("var/lib/mailpulse/key"), "the key");
    holds_everything(&root);

    let removed = root.dpkg(&["--remove", "mailpulse"]);
    assert!(!root.path("usr/bin/mailpulse").exists());
    assert_eq!(
        root.read("var/lib/mailpulse/key"),
        "the key",
        "a removal keeps the store"
    );
    assert!(removed.err.contains("/var/lib/mailpulse stays"), "{}", removed.err);
    let purged = root.dpkg(&["--purge", "mailpulse"]);
    assert!(purged.err.contains("removed /var/lib/mailpulse"), "{}", purged.err);
    assert!(purged.err.contains("/etc/mailpulse stays"), "{}", purged.err);
    assert_eq!(
        root.read("etc/mailpulse/mailpulse.toml"),
        config,
        "what the operator wrote is the operator's"
    );
    // But for that, and for the user, nothing is left.
    std::fs::remove_dir_all(root.path("etc/mailpulse")).unwrap();
    let left: Vec<String> = root.all().difference(&before).cloned().collect();
    let of_user = [
        "etc/gshadow",
        "etc/shadow",
        "etc/group-",
        "etc/passwd-",
        "etc/.pwd.lock",
        "etc/gshadow-",
        "etc/shadow-",
    ];
    let left: Vec<&String> = left.iter().filter(|name| !of_user.contains(&name.as_str())).collect();
    assert!(left.is_empty(), "a purge leaves {left:?}");
}

/// What the package brings is there.
#[track_caller]
fn holds_everything(root: &Root) {
    assert!(
        root.read("usr/lib/systemd/system/mailpulse.service")
            .contains("mailpulse.toml run\n")
    );
    for name in commands(&[]) {
        let page = format!("usr/share/man/man1/mailpulse-{}.1.gz", name.replace(' ', "-"));
        assert!(root.path(&page).is_file(), "{page}");
    }
    let fixed = [
        "usr/lib/systemd/system/mailpulse-serve.service",
        "usr/lib/systemd/system/mailpulse-tail.service",
        "usr/lib/systemd/system/mailpulse-watch.service",
        "usr/lib/sysusers.d/mailpulse.conf",
        "usr/share/man/man1/mailpulse.1.gz",
        "usr/share/bash-completion/completions/mailpulse",
        "usr/share/zsh/vendor-completions/_mailpulse",
        "usr/share/fish/vendor_completions.d/mailpulse.fish",
        "usr/share/doc/mailpulse/copyright",
        "usr/share/doc/mailpulse/README.Debian",
    ];
    let mut wanted: Vec<String> = fixed.map(str::to_owned).to_vec();
    for (folder, to) in [
        ("docs", "usr/share/doc/mailpulse/docs"),
        ("examples", "usr/share/doc/mailpulse/examples"),
        ("dist/grafana", "usr/share/mailpulse/grafana"),
        ("dist/prometheus", "usr/share/mailpulse/prometheus"),
    ] {
        if checkout().join(folder).exists() {
            // What dashboards and the book are made by is the project's own.
            let is_own = |name: &String| ["dashboards.toml", "prometheus.toml", "book.toml"].contains(&name.as_str());
            let files = files_of(folder).into_iter().filter(|name| !is_own(name));
            wanted.extend(files.map(|name| format!("{to}/{name}")));
        }
    }
    let packed = |name: &String| root.path(name).is_file() || root.path(&format!("{name}.gz")).is_file();
    let missing: Vec<&String> = wanted.iter().filter(|name| !packed(name)).collect();
    assert!(missing.is_empty(), "not in the package: {missing:?}");
}

#[test]
#[ignore = "lab: needs cargo-deb and dpkg"]
fn the_package_asks_nothing_and_lets_nobody_write_its_files() {
    let package = package();
    let folder = tempfile::tempdir().unwrap();
    let dpkg_deb = |argument: &str| must(lab::program("dpkg-deb").arg(argument).arg(package)).out;
    let control = folder.path().join("control");
    must(lab::program("dpkg-deb").arg("--control").arg(package).arg(&control));
    for entry in std::fs::read_dir(&control).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!["templates", "config"].contains(&name.as_str()), "debconf: {name}");
    }
    let fields = dpkg_deb("--field");
    assert!(!fields.contains("debconf"), "{fields}");
    for field in [
        "Package: mailpulse",
        "Maintainer: ",
        "Description: ",
        "Depends: ",
        "Section: mail",
    ] {
        assert!(fields.contains(field), "{field}: {fields}");
    }
    for line in dpkg_deb("--contents").lines() {
        let mut words = line.split_whitespace();
        let (mode, owner) = (words.next().unwrap(), words.next().unwrap());
        assert!(["root/root", "0/0"].contains(&owner), "{line}");
        assert!(
            mode.get(5..6) != Some("w") && mode.get(8..9) != Some("w") && !mode.contains('s'),
            "{line}"
        );
    }
}

/// As docs/ says; the crates that are compiled already are taken again.
#[test]
#[ignore = "minutes: compiles the program once more, without what tests add to it"]
fn cargo_installs_it_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let target = Path::new(PROGRAM).ancestors().nth(2).expect("a target folder");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["install", "--path", ".", "--locked", "--offline", "--debug", "--root"])
        .arg(folder.path());
    let installed = must(cargo.current_dir(checkout()).env("CARGO_TARGET_DIR", target));
    assert!(!installed.err.contains("warning: unused"), "{}", installed.err);
    let program = folder.path().join("bin/mailpulse");
    let version = must(Command::new(&program).arg("--version"));
    assert_eq!(version.out.trim(), concat!("mailpulse ", env!("CARGO_PKG_VERSION")));
    let names: Vec<String> = std::fs::read_dir(folder.path().join("bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["mailpulse"], "one program, and none of the project's own");
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

/// The first command after an installation: systemd makes /etc/mailpulse, and only when a unit starts.
#[test]
fn init_makes_the_folder_of_a_configuration_and_none_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("machine");
    std::fs::create_dir(&empty).unwrap();
    let init = |file: &str| {
        let file = folder.path().join(file);
        let mut command = Command::new(PROGRAM);
        command.arg("init").arg(&file).arg("--root").arg(&empty);
        (Run::of(command.output().unwrap()), file)
    };
    let (run, file) = init("etc-mailpulse/mailpulse.toml");
    run.ends(0);
    assert!(file.is_file());
    let (run, file) = init("a/name/mistyped.toml");
    run.ends(2).says(&["a/name: No such file or directory"]);
    assert!(!file.ancestors().nth(2).unwrap().exists());
}
