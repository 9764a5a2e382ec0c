#!/usr/bin/env bash
# What questions to a large embedded store take: memory, time and processor, beside DuckDB on the same files.
#
#   tests/bench/scale_store.sh [DAYS=90] [SCALE=8]
#
# The store is made once: logs of the simulated outage with DAYS days of history at SCALE times its volume (90 and 8 are 110
# million events from 25 GB of text, 2.1 GB on disk) are read by `backfill`, and deleted. Then every command that asks is run
# for a day and for all days; those that ask the detection twice: with a replay, and beside what `watch` keeps. It prints a line a
# command: peak memory, wall time, processor time.
#
#   MAILPULSE=path          the binary; default target/release/mailpulse
#   MAILPULSE_DUCKDB=path   a Python environment with DuckDB (`pip install duckdb`), for the SELECTs beside it; without it they
#                           are left out, and it is said
#   MAILPULSE_STORES=path   where stores are kept from run to run; default ~/.cache/mailpulse-stores
set -euo pipefail
cd "$(dirname "$0")/../.."

export DAYS=${1:-90} SCALE=${2:-8}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
export MAILPULSE_DUCKDB=${MAILPULSE_DUCKDB:-}
if [[ ! -x $MAILPULSE ]]; then
    echo "scale_store.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
MAILPULSE=$(realpath "$MAILPULSE")
STORES=${MAILPULSE_STORES:-$HOME/.cache/mailpulse-stores}
export FOLDER=$STORES/outage-$DAYS-$SCALE
if [[ ! -e $FOLDER/made ]]; then
    rm -rf "$FOLDER"
    mkdir -p "$FOLDER"
    echo "scale_store.sh: making a store in $FOLDER" >&2
    "$MAILPULSE" simulate --outage "$FOLDER/logs" --history-days "$DAYS" --scale "$SCALE" >&2
    cp "$FOLDER/logs/mailpulse.toml" "$FOLDER/logs/store.toml"
    printf '\n[store]\nurl = "%s"\n' "$FOLDER/store" >>"$FOLDER/logs/store.toml"
    "$MAILPULSE" --config "$FOLDER/logs/store.toml" backfill --quiet >&2
    "$MAILPULSE" --config "$FOLDER/logs/store.toml" store compact >&2
    mv "$FOLDER/logs/store.toml" "$FOLDER/mailpulse.toml"
    rm -rf "$FOLDER/logs"
    touch "$FOLDER/made"
fi
exec python3 tests/bench/scale_store.py
