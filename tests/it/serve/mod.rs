//! Pages as a browser gets them: from a server that listens, over a socket.

mod api;
mod away;
mod hostile;
mod http;
mod live;
mod looks;
mod minutes;
mod overview;
mod part;
mod reload;
mod safety;
mod zones;

pub(crate) use http::{Served, night};
