//! How well reasons are told: the confusion matrix over a half of the corpus of replies.
//!
//! `cargo run -p mailpulse-parsers --example reply_matrix` shows the half that was not used for tuning;
//! `-- tuning` shows the other half, `-- /path/of/a.tsv` a file of your own in the same form. `--wrong` behind it lists
//! the lines that are read as something else.

#[path = "../tests/reply_corpus/mod.rs"]
mod reply_corpus;

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let half = match arguments.first().map(String::as_str) {
        Some("tuning") => "tuning.tsv",
        Some(file) if !file.starts_with("--") => file,
        _ => "held-out.tsv",
    };
    let entries = reply_corpus::entries(half);
    let mut out = io::stdout().lock();
    writeln!(out, "{:<20}{:>6}{:>7}{:>6}  read as", half, "lines", "right", "%")?;
    let (mut lines, mut right) = (0, 0);
    for row in reply_corpus::matrix(&entries) {
        let wrong: Vec<String> = row
            .wrong
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let percent = 100 * row.right / row.lines;
        let (class, others) = (row.class, wrong.join(", "));
        writeln!(out, "{class:<20}{:>6}{:>7}{percent:>6}  {others}", row.lines, row.right)?;
        (lines, right) = (lines + row.lines, right + row.right);
    }
    writeln!(
        out,
        "{:<20}{lines:>6}{right:>7}{:>6}",
        "all",
        100 * right / lines.max(1)
    )?;
    if arguments.iter().any(|argument| argument == "--wrong") {
        for entry in &entries {
            let (reply, code) = (entry.read(), &entry.provider_code);
            if reply.reason.as_str() != entry.expected {
                let (read, text) = (reply.reason.as_str(), &entry.text);
                writeln!(
                    out,
                    "{} {code} read as {read}: {text} ({})",
                    entry.expected, entry.speaker
                )?;
            }
        }
    }
    Ok(())
}
