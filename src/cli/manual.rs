//! `mailpulse manual` and `mailpulse completions`: what packagers install, made from the arguments themselves.

use crate::cli::output;
use anyhow::{Context as _, Result};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `manual`.
#[derive(Debug, clap::Args)]
pub(super) struct ManualArgs {
    /// Folder to write the pages to
    folder: PathBuf,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// Shell
    shell: clap_complete::Shell,
}

/// What the arguments do not say: sections of mailpulse(1), each a list of terms.
const SECTIONS: [(&str, &[(&str, &str)]); 5] = [
    (
        "FILES",
        &[
            (
                "/etc/mailpulse/mailpulse.toml",
                "The default configuration. `mailpulse init` writes one.",
            ),
            ("/etc/mailpulse/conf.d/*.toml", "Read after it, in alphabetical order."),
            (
                "/var/lib/mailpulse",
                "The store of the packaged service: catalogue.sqlite, segments, and the key of the pseudonyms.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "MAILPULSE_CLICKHOUSE_PASSWORD",
                "The password for ClickHouse, instead of `password_file` in the configuration.",
            ),
            ("MAILPULSE_TOKEN", "top: the token for --url, instead of --token-file."),
            ("NO_COLOR", "If set, graph and top use no colors."),
            (
                "COLUMNS",
                "The width of tables and graphs, where it is not that of the terminal.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "run, tail, watch, serve: stop within 5 seconds; run and tail commit what was read. A second signal stops tail at \
                 once, without loss. top: restores the terminal and ends.",
            ),
            (
                "SIGHUP",
                "run, tail: reload the configuration. An invalid configuration is refused and reported, and the old one stays \
                 in effect. top: restores the terminal and ends.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Success."),
            (
                "1",
                "The command found something, such as an alarm or a service with a single relay.",
            ),
            (
                "2",
                "An error. Errors in the configuration name the file, the line, and a hint.",
            ),
            ("3", "The answer is incomplete. Standard error names what is missing."),
        ],
    ),
    (
        "EXAMPLES",
        &[
            (
                "mailpulse demo",
                "Simulate the outage of 2018-06-06, from raw logs to the incident page.",
            ),
            (
                "mailpulse init && mailpulse --config mailpulse.toml check",
                "Write and validate a configuration for this machine.",
            ),
            (
                "mailpulse backfill /var/log/exim4 --host mx1001",
                "Read archives. A second run adds nothing.",
            ),
            (
                "mailpulse graph --since -24h",
                "Draw rates per service in the terminal.",
            ),
            (
                "mailpulse doctor",
                "Find what is wrong with the installation, and what to do first.",
            ),
        ],
    ),
];

/// Writes `mailpulse.1` and a page for each command, `mailpulse-tail.1` and so on; hidden commands have none.
pub(super) fn manual(args: &ManualArgs, program: &Command) -> Result<ExitCode> {
    let folder = || args.folder.display().to_string();
    std::fs::create_dir_all(&args.folder).with_context(folder)?;
    clap_mangen::generate_to(program.clone(), &args.folder).with_context(folder)?;
    for name in pages_of(&args.folder).with_context(folder)? {
        see_also(&args.folder.join(&name)).with_context(folder)?;
    }
    let page = args.folder.join("mailpulse.1");
    let mut text = Vec::new();
    Man::new(program.clone()).render(&mut text)?;
    let mut more = Roff::new();
    for (title, terms) in SECTIONS {
        more.control("SH", [title]);
        for (term, meaning) in terms {
            more.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    more.to_writer(&mut text)?;
    std::fs::write(&page, text).with_context(|| page.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// The pages of commands, by the names of their files.
fn pages_of(folder: &Path) -> io::Result<Vec<String>> {
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.starts_with("mailpulse-") && name.ends_with(".1") {
            pages.push(name);
        }
    }
    Ok(pages)
}

/// The end of a command's page: files, signals, and exit codes are those of all.
fn see_also(page: &Path) -> io::Result<()> {
    let mut more = Roff::new();
    more.control("SH", ["SEE ALSO"]);
    more.text([
        bold("mailpulse"),
        roman("(1): files, environment, signals, and exit codes"),
    ]);
    let mut file = std::fs::OpenOptions::new().append(true).open(page)?;
    more.to_writer(&mut file)
}

/// Prints the completions of a shell.
pub(super) fn completions(args: &CompletionsArgs, program: &Command) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program.clone(), "mailpulse", &mut text);
    output::verbatim(String::from_utf8(text)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
