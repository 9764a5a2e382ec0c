//! `--direction`: which mail a command shows.

use crate::model::direction::DirectionView;
use clap::Args;

/// Which mail, by its direction.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct DirectionArgs {
    /// Mail to show: outbound, inbound, internal, transit, or all. Arrivals and rejects, which have no direction, count by
    /// their origin
    #[arg(long = "direction", value_name = "DIRECTION", default_value = "outbound", value_parser = DirectionView::parse)]
    pub view: DirectionView,
}
