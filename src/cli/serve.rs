//! `mailpulse serve`: web pages, JSON API, and metrics over a store.

use super::output;
use crate::clock::now_ms;
use crate::config::BasePath;
use crate::model::time::End;
use crate::service::serve::{BoundPages, Serving};
use crate::setup::Setup;
use anyhow::{Result, anyhow};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Pages change nothing. On an address that other machines can reach, [serve] needs a token and a proxy for TLS."
)]
pub(super) struct ServeArgs {
    /// Address and port to listen on [default: `listen` in [serve], otherwise 127.0.0.1:8425]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Path that all pages begin with, behind a proxy [default: the path of `url_base` in [serve]]
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Stop the clock at this time, and show what was known then: 2018-06-06T19:05Z, "2018-06-06 19:05" (UTC)
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl ServeArgs {
    /// At the configured address, with the clock stopped.
    pub(super) fn of_a_moment(at: &str) -> ServeArgs {
        ServeArgs {
            listen: None,
            base_path: None,
            at: Some(at.to_owned()),
        }
    }
}

/// Serves.
pub(super) fn run(setup: &Setup, args: &ServeArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let path = args.base_path.as_deref().map(BasePath::parse).transpose();
    let at_ms = args
        .at
        .as_deref()
        .map(|text| End::clock(now_ms()).parse(text))
        .transpose();
    let serving = Serving {
        listen: args.listen,
        base_path: path.map_err(|why| anyhow!("--base-path {why}"))?,
        at_ms: at_ms.map_err(|why| anyhow!("--at: {why}"))?,
        ..Serving::default()
    };
    let pages = BoundPages::new(setup, config, serving)?;
    output::talk(&format!("pages: {}", pages.url()?));
    pages.run()?;
    Ok(ExitCode::SUCCESS)
}
