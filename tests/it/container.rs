//! The image: what it is made of exists, and what it runs as may do little. Where a builder is at hand, `tests/run` builds it.

use crate::logs::root;
use crate::serve::{Served, night};
use crate::util::Reserved;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE: &str = "dist/container/Containerfile";

/// The instructions, each on one line, without comments.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(FILE)).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", "");
    let lines = joined.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()))
        .collect()
}

/// The values of an instruction in the last stage.
fn last(word: &str) -> Vec<String> {
    let all = instructions();
    let begin = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let of_it = all[begin..].iter().filter(|(own, _)| own == word);
    of_it.map(|(_, rest)| rest.clone()).collect()
}

/// What is copied from the project.
fn copied() -> BTreeSet<PathBuf> {
    let copies = instructions()
        .into_iter()
        .filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"));
    let sources = |(_, rest): (String, String)| {
        let mut words: Vec<PathBuf> = rest.split_whitespace().map(PathBuf::from).collect();
        words.pop();
        words
    };
    copies.flat_map(sources).collect()
}

#[test]
fn what_the_image_is_made_of_is_there_and_builds_the_program() {
    let copied = copied();
    assert!(copied.len() > 8, "{copied:?}");
    for path in &copied {
        assert!(root().join(path).exists(), "{} is not there", path.display());
    }
    // What the sources include is copied with them.
    let is_copied = |path: &Path| copied.iter().any(|folder| path.starts_with(folder));
    let mut included = 0;
    let mut folders = vec![root().join("src"), root().join("parsers/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(&path).unwrap_or_default();
            for rest in code
                .split("include_str!(")
                .skip(1)
                .chain(code.split("include_bytes!(").skip(1))
            {
                let from = rest.trim_start_matches("concat!(").trim_start();
                let Some(name) = from.strip_prefix('"').and_then(|name| name.split('"').next()) else {
                    continue;
                };
                let mut target = path.parent().unwrap().to_owned();
                for part in Path::new(name).components() {
                    match part.as_os_str() == ".." {
                        true => _ = target.pop(),
                        false => target.push(part),
                    }
                }
                let target = target.strip_prefix(root()).unwrap();
                assert!(
                    is_copied(target),
                    "{}: {} is not copied",
                    path.display(),
                    target.display()
                );
                included += 1;
            }
        }
    }
    assert!(included > 4, "{included} files are included");
}

#[test]
fn cargo_reads_the_project_with_what_is_copied_alone() {
    let folder = tempfile::tempdir().unwrap();
    for path in copied()
        .iter()
        .filter(|path| !path.starts_with("dist") && !path.starts_with("LICENSE"))
    {
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(root().join(path)).arg(folder.path());
        assert!(copy.status().unwrap().success(), "{}", path.display());
    }
    let mut cargo = Command::new("cargo");
    cargo.args([
        "metadata",
        "--offline",
        "--locked",
        "--no-deps",
        "--format-version",
        "1",
    ]);
    let output = cargo.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_process_in_the_image_is_nobody_and_says_whether_it_works() {
    assert_eq!(
        last("USER"),
        ["8425:8425"],
        "a number: whoever runs it can see that it is not root"
    );
    let health = last("HEALTHCHECK");
    assert!(
        health.len() == 1 && health[0].ends_with("[\"/usr/bin/mailpulse-healthcheck\"]"),
        "{health:?}"
    );
    assert_eq!(last("ENTRYPOINT"), ["[\"/usr/bin/mailpulse\"]"]);
    assert_eq!(
        last("CMD"),
        ["[\"--config\", \"/etc/mailpulse/mailpulse.toml\", \"run\"]"]
    );
    assert_eq!(
        last("VOLUME"),
        ["/var/lib/mailpulse"],
        "the one place that is written to"
    );
    for (word, rest) in instructions() {
        assert_ne!(word, "ADD", "{rest}");
        let is_of_tag = rest
            .split(' ')
            .next()
            .unwrap()
            .rsplit_once(':')
            .is_some_and(|(_, tag)| tag != "latest");
        assert!(word != "FROM" || is_of_tag, "{rest}");
    }
    // Nothing is written when it is built that a file system which is read-only would have to take when it runs.
    let text = fs::read_to_string(root().join("dist/container/README.md")).unwrap();
    for option in ["--read-only", "--cap-drop=all", "no-new-privileges"] {
        assert!(text.contains(option), "{option}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_health_check_asks_the_pages_or_else_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mailpulse.toml");
    let is_well = |config: &Path, variables: &[(&str, String)]| {
        let mut check = Command::new(root().join("dist/container/healthcheck"));
        check.env("MAILPULSE_CONFIG", config).envs(variables.iter().cloned());
        check.output().unwrap().status.success()
    };
    fs::write(&config, "[serve]\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let served = Served::start(night(), &[]);
    assert!(is_well(&config, &[("MAILPULSE_PORT", served.port.to_string())]));
    let closed = Reserved::new();
    assert!(!is_well(&config, &[("MAILPULSE_PORT", closed.port().to_string())]));
    // Without pages.
    fs::write(&config, "[store]\n").unwrap();
    let mut process = Command::new("bash");
    let mut process = process
        .args(["-c", "read -r", "run"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    assert!(is_well(&config, &[("MAILPULSE_PID", process.id().to_string())]));
    process.kill().unwrap();
    let gone = process.id().to_string();
    process.wait().unwrap();
    assert!(!is_well(&config, &[("MAILPULSE_PID", gone)]));
}
