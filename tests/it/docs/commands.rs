//! Every command of the documentation is one that the program takes, and every configuration one that it loads.

use super::blocks::{Block, below, blocks, indented, name, pages};
use super::prose;
use crate::logs::root;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use mailpulse::cli::Args;
use mailpulse::config::Config;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Other programs that the documentation calls.
const OTHERS: [&str; 50] = [
    "adduser",
    "amtool",
    "apt-get",
    "cargo",
    "cat",
    "cd",
    "chmod",
    "chown",
    "cp",
    "crontab",
    "curl",
    "cut",
    "date",
    "df",
    "dist/build-deb",
    "docker",
    "exim",
    "getent",
    "git",
    "grep",
    "head",
    "install",
    "journalctl",
    "jq",
    "kill",
    "ls",
    "mdbook",
    "mkdir",
    "mv",
    "nc",
    "openssl",
    "podman",
    "postqueue",
    "printf",
    "promtool",
    "python3",
    "rm",
    "sed",
    "setfacl",
    "sleep",
    "ssh",
    "systemctl",
    "tail",
    "tar",
    "test",
    "tests/fuzz",
    "tests/run",
    "tests/shots",
    "timedatectl",
    "usermod",
];

/// Options of other programs in the text.
const OTHER_OPTIONS: [&str; 4] = ["--timestamps", "--example", "--group-add", "--hostname"];

/// The simple commands of a script, each in words.
pub(super) fn simple_commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut text = String::new();
    let mut document: Option<String> = None;
    for line in script.replace("\\\n", " ").lines() {
        // A document in place is no command.
        if document.is_some() {
            document = document.filter(|end| line != end);
            continue;
        }
        document = line.split_once(" <<").map(|(_, end)| end.trim().to_owned());
        text.push_str(line);
        // A quote that does not end goes on in the next line.
        let Some(words) = shlex::split(&text) else {
            text.push('\n');
            continue;
        };
        text.clear();
        let is_end = |word: &String| matches!(word.as_str(), "|" | "||" | "&&" | ";" | "&");
        commands.extend(words.split(is_end).map(<[String]>::to_vec));
    }
    assert!(text.is_empty(), "a quote does not end: {text}");
    commands
        .iter()
        .map(|words| bare(words))
        .filter(|words| !words.is_empty())
        .collect()
}

/// Without what a shell or sudo takes for itself.
fn bare(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    while let Some(at) = words.iter().position(|word| {
        let redirected = word.trim_start_matches(|c: char| c.is_ascii_digit());
        redirected.starts_with('>') || redirected.starts_with('<')
    }) {
        // `<>` is the sender of bounces, and `>x` one word.
        let is_alone = words[at].ends_with(['>', '<']);
        words.drain(at..words.len().min(at + 1 + usize::from(is_alone)));
    }
    let is_assignment = |word: &String| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    while words.first().is_some_and(is_assignment) {
        words.remove(0);
    }
    if words.first().is_some_and(|word| word == "sudo") {
        words.remove(0);
        if words.first().is_some_and(|word| word == "-u") {
            words.drain(..2);
        }
    }
    words
}

/// What the program says to these words; `None` if it takes them.
fn refusal(words: &[String]) -> Option<clap::Error> {
    let error = Args::try_parse_from(words).err()?;
    (!matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)).then_some(error)
}

/// What is wrong with the commands of a block.
fn faults(block: &Block) -> Vec<String> {
    let mut faults = Vec::new();
    for words in simple_commands(&block.commands()) {
        let of_program = match (words[0].as_str(), words.iter().position(|word| word == "--")) {
            ("mailpulse", _) => words.clone(),
            // `cargo run -- demo`
            ("cargo", Some(at))
                if words.get(1).is_some_and(|word| word == "run") && !words.contains(&"-p".to_owned()) =>
            {
                words[at..].to_vec()
            }
            (other, _) if OTHERS.contains(&other) => continue,
            (other, _) => {
                faults.push(format!("{}: {other}: no program that these tests know", block.place));
                continue;
            }
        };
        faults.extend(refusal(&of_program).map(|error| format!("{}: {words:?}: {error}", block.place)));
    }
    faults
}

/// Pages beside the book whose commands are parsed as well.
fn pages_beside() -> Vec<PathBuf> {
    let mut all = vec![root().join("CONTRIBUTING.md"), root().join("SECURITY.md")];
    below(&root().join("dist"), &mut all);
    all
}

#[test]
fn every_command_in_a_block_is_one_that_the_program_takes() {
    let shell = pages()
        .iter()
        .chain(&pages_beside())
        .flat_map(|page| blocks(page))
        .filter(Block::is_shell)
        .collect::<Vec<_>>();
    let all: Vec<String> = shell.iter().flat_map(faults).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
    let commands = shell.iter().flat_map(|block| simple_commands(&block.commands()));
    let ours = commands.filter(|words| words[0] == "mailpulse").count();
    assert!(ours > 80, "{ours} commands");
}

/// What the Debian package says first: its commands are taken, and what it names is in the package.
#[test]
fn the_packages_first_page_names_what_is_there() {
    let text = fs::read_to_string(root().join("dist/debian/README.Debian")).expect("a page");
    let commands = indented("README.Debian", &text);
    let quoted = text.split('"').skip(1).step_by(2);
    let quoted: String = quoted
        .filter(|span| span.starts_with("mailpulse "))
        .map(|span| format!("    {}\n", span.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect();
    let quoted = indented("README.Debian", &quoted);
    for block in [&commands, &quoted] {
        assert!(block.text.contains("mailpulse"), "no commands: {}", block.text);
        let faults = faults(block);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches([',', '.', '(', ')', ':', '"']));
    let mut named = BTreeSet::new();
    for word in words {
        if word.ends_with(".service") {
            named.insert(format!("dist/systemd/{word}"));
        } else if word.starts_with("docs/") {
            named.insert(word.to_owned());
        }
    }
    assert!(named.len() >= 6, "{named:?}");
    let missing: Vec<&String> = named.iter().filter(|name| !root().join(name).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_made_up_option_is_found() {
    let all = simple_commands(
        "A=1 sudo -u x mailpulse status --nagios 2>&1 | grep x   # why\nmailpulse \\\n  graph --by sun > a && ls\n",
    );
    assert_eq!(all.len(), 4);
    assert_eq!(all[0], ["mailpulse", "status", "--nagios"]);
    assert!(refusal(&all[0]).is_none());
    assert!(refusal(&all[2]).is_some(), "{:?}", all[2]);
    let words = |line: &str| simple_commands(line).remove(0);
    assert!(refusal(&words("mailpulse status --made-up")).is_some());
    assert!(refusal(&words("mailpulse statut")).is_some());
    assert!(refusal(&words("mailpulse query --help")).is_none());
}

/// Code in the text of a page: between single backticks.
fn spans(page: &str) -> Vec<String> {
    let text = prose(page);
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// A command that is only named lacks what it would need to run.
fn is_named_well(words: &[String]) -> Result<(), String> {
    match refusal(words) {
        Some(error)
            if !matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            ) && !error.to_string().contains("none was supplied") =>
        {
            Err(format!("{words:?}: {error}"))
        }
        _ => Ok(()),
    }
}

#[test]
fn commands_and_options_in_the_text_exist() {
    let mut options: BTreeSet<String> = OTHER_OPTIONS.map(str::to_owned).into();
    let mut waiting = vec![Args::command()];
    while let Some(command) = waiting.pop() {
        options.extend(
            command
                .get_arguments()
                .filter_map(|option| Some(format!("--{}", option.get_long()?))),
        );
        waiting.extend(command.get_subcommands().cloned());
    }
    options.extend(["--help".to_owned(), "--version".to_owned()]);
    let mut faults = Vec::new();
    let mut checked = 0;
    for page in pages().iter().filter(|page| !name(page).ends_with("SUMMARY.md")) {
        for span in spans(&fs::read_to_string(page).expect("a page")) {
            let Some(words) = shlex::split(&span).filter(|words| !words.is_empty()) else {
                continue;
            };
            let stands_for = |word: &String| word == "COMMAND" || word == "…";
            if words[0] == "mailpulse" && !words.iter().any(stands_for) {
                checked += 1;
                faults.extend(is_named_well(&words).err().map(|why| format!("{}: {why}", name(page))));
            }
            if let Some(option) = words[0].strip_prefix("--").filter(|option| !option.is_empty()) {
                checked += 1;
                let option = option.split('=').next().unwrap_or_default();
                if !options.contains(&format!("--{option}")) {
                    faults.push(format!("{}: no command has --{option}", name(page)));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 150, "{checked} spans");
    let words = |line: &str| shlex::split(line).expect("words");
    assert!(is_named_well(&words("mailpulse query")).is_ok());
    assert!(is_named_well(&words("mailpulse query --made-up")).is_err());
}

/// Files that configurations name and that must exist.
const NAMED: [(&str, &str); 9] = [
    ("holidays.txt", "2026-12-25\n"),
    (
        "germany.ics",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\nEND:VEVENT\nEND:VCALENDAR\n",
    ),
    ("hosts.json", "{\"web\": {\"hosts\": [\"web1\"]}}\n"),
    ("hook.key", "0123456789abcdef0123456789abcdef\n"),
    ("pagerduty.key", "0123456789abcdef0123456789abcdef\n"),
    ("serve.token", "0123456789abcdef0123456789abcdef\n"),
    ("metrics.token", "0123456789abcdef0123456789abcdef\n"),
    ("clickhouse.password", "x\n"),
    ("our-ca.pem", ""),
];

/// What the program says to a configuration.
fn loaded(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in NAMED {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let path = folder.path().join("mailpulse.toml");
    fs::write(&path, text).expect("a file");
    Config::load(&path).map_err(|errors| format!("{errors:#?}"))
}

#[test]
fn every_configuration_is_one_that_the_program_loads() {
    let mut loads = 0;
    for block in pages()
        .iter()
        .flat_map(|page| blocks(page))
        .filter(|block| block.language == "toml")
    {
        if let Err(errors) = loaded(&block.text) {
            panic!("{}: {errors}\n{}", block.place, block.text);
        }
        loads += 1;
    }
    assert!(loads > 12, "{loads} configurations");
    assert!(loaded("[store]\nmade_up = 1\n").is_err());
}
