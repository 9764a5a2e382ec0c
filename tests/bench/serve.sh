#!/usr/bin/env bash
# What pages over a large embedded store take: time of pages and graphs, their size, and what the process takes while it rests and
# while browsers listen.
#
#   tests/bench/serve.sh [DAYS=90] [SCALE=8]
#
# The store is that of scale_store.sh, which makes it if it is not there.
#
#   MAILPULSE=path          the binary; default target/release/mailpulse
#   MAILPULSE_STORES=path   where stores are kept from run to run; default ~/.cache/mailpulse-stores
#   CONFIG=path             another configuration, of a store of your own
#   REST_S=60               seconds of rest, and of open streams
set -euo pipefail
cd "$(dirname "$0")/../.."

export MAILPULSE=${MAILPULSE:-target/release/mailpulse} REST_S=${REST_S:-60}
if [[ ! -x $MAILPULSE ]]; then
    echo "serve.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
MAILPULSE=$(realpath "$MAILPULSE")
export CONFIG=${CONFIG:-${MAILPULSE_STORES:-$HOME/.cache/mailpulse-stores}/outage-${1:-90}-${2:-8}/mailpulse.toml}
if [[ ! -e $CONFIG ]]; then
    echo "serve.sh: no $CONFIG: run tests/bench/scale_store.sh first, or set CONFIG" >&2
    exit 2
fi
exec python3 tests/bench/serve.py
