//! `mailpulse top`: the board in a terminal, live, or once as text or JSON.

use super::output;
use crate::analysis::overview::{BoardSnapshot, StateClass};
use crate::clock::now_ms;
use crate::model::time::End;
use crate::setup::Setup;
use crate::terminal::{BoardSource, LocalBoard, RemoteBoard, TOKEN_VARIABLE, TerminalStyle, plain, show, token};
use anyhow::{Result, anyhow, bail};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `top`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Keys: Tab next board, / search, e expand a row, f freeze, s sort, ? help, q quit.\n\
                  With --once or --format json: exit code 1 if mail is in trouble, 3 if the answer is incomplete.\n\
                  Respects NO_COLOR. The token for --url comes from --token-file, or from MAILPULSE_TOKEN in the environment."
)]
pub(super) struct TopArgs {
    /// Print the board once, as text; needs no terminal
    #[arg(long)]
    once: bool,
    /// Output format; json prints the board once
    #[arg(long, value_enum, default_value = "table")]
    format: TopFormat,
    /// Show the board of a `mailpulse serve` at this address, instead of a store: http://127.0.0.1:8425/
    #[arg(long, value_name = "URL", conflicts_with = "at")]
    url: Option<String>,
    /// File with the token for --url
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Stop the clock at this time, and show what was known then: 2018-06-06T19:05Z, "2018-06-06 19:05" (UTC)
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Draw with ASCII characters only [default: if the locale is not UTF-8]
    #[arg(long)]
    ascii: bool,
}

/// Form of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TopFormat {
    /// Tables
    Table,
    /// One object, as `/api/v1/board` of `serve` answers
    Json,
}

/// Shows.
pub(super) fn run(setup: &Setup, args: &TopArgs) -> Result<ExitCode> {
    let mut look = TerminalStyle::of_environment(|name| std::env::var(name).ok());
    look.is_ascii |= args.ascii;
    let is_once = args.once || args.format == TopFormat::Json;
    if !is_once {
        needs_terminal()?;
    }
    let mut source = source(setup, args)?;
    if !is_once {
        show(source, look)?;
        return Ok(ExitCode::SUCCESS);
    }
    let board = source.board()?;
    let code = code(&board);
    match args.format {
        TopFormat::Json => output::json(&serde_json::to_value(&board)?)?,
        TopFormat::Table => {
            for line in plain(board, look, output::columns()) {
                output::line(&line)?;
            }
        }
    }
    Ok(code)
}

fn source(setup: &Setup, args: &TopArgs) -> Result<Box<dyn BoardSource>> {
    let Some(url) = &args.url else {
        let at_ms = args
            .at
            .as_deref()
            .map(|text| End::clock(now_ms()).parse(text))
            .transpose();
        let at_ms = at_ms.map_err(|why| anyhow!("--at: {why}"))?;
        let board = LocalBoard::new(setup, setup.config()?, at_ms);
        // A store that is not there is an error of this command, not a line on its screen.
        board.open()?;
        return Ok(Box::new(board));
    };
    let token = token(args.token_file.as_deref(), std::env::var(TOKEN_VARIABLE).ok())?;
    let board = RemoteBoard::new(url, token)?;
    if board.shows_token() {
        output::talk("the token goes over the network without TLS: whoever reads along has it");
    }
    Ok(Box::new(board))
}

/// Refuses where there is nothing to draw on, or nobody to press a key.
fn needs_terminal() -> Result<()> {
    let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if is_dumb || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!("top needs a terminal; --once prints the board as text, and --format json for programs");
    }
    Ok(())
}

/// What a script is told.
fn code(board: &BoardSnapshot) -> ExitCode {
    for line in &board.lacks {
        output::talk(line);
    }
    match (board.lacks.is_empty(), board.verdict.class) {
        (false, _) => ExitCode::from(3),
        (true, StateClass::Bad) => ExitCode::from(1),
        (true, _) => ExitCode::SUCCESS,
    }
}
