#!/usr/bin/env bash
# What the panels and alert rules of dist/grafana take on a large ClickHouse: time of each, and rows read.
#
#   tests/bench/grafana.sh [DAYS=90] [SCALE=8] [COPIES=0]
#
# The store is that of scale_store.sh, which makes it if it is not there. It is sent to ClickHouse's engine once, and kept there.
# COPIES adds copies of all events on the server, each some minutes later and of another log: 90 0.5 15 are 110 million events from
# 1.6 GB of text, where 25 GB are too much. Then each panel is asked for 24 hours (the dashboards' default), 7 days, and 90 days.
# It prints a line a panel: medians of three runs for each window, wall time and processor time, and rows read.
#
#   MAILPULSE=path          the binary; default target/release/mailpulse
#   MAILPULSE_CHDB=path     the folder of ClickHouse's engine that tests/run makes
#   MAILPULSE_STORES=path   where stores are kept from run to run; default ~/.cache/mailpulse-stores
#   PANELS=a,b              only these
set -euo pipefail
cd "$(dirname "$0")/../.."

days=${1:-90} scale=${2:-8}
export COPIES=${3:-0} PANELS=${PANELS:-}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
export MAILPULSE_CHDB=${MAILPULSE_CHDB:-$HOME/.cache/mailpulse-lab/chdb-26.9.0}
if [[ ! -x $MAILPULSE ]]; then
    echo "grafana.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
if [[ ! -x $MAILPULSE_CHDB/bin/python3 ]]; then
    echo "grafana.sh: no ClickHouse engine in $MAILPULSE_CHDB: tests/run makes it, or set MAILPULSE_CHDB" >&2
    exit 2
fi
MAILPULSE=$(realpath "$MAILPULSE")
export FOLDER=${MAILPULSE_STORES:-$HOME/.cache/mailpulse-stores}/outage-$days-$scale
if [[ ! -e $FOLDER/made ]]; then
    tests/bench/scale_store.sh "$days" "$scale" >/dev/null
fi
exec "$MAILPULSE_CHDB/bin/python3" tests/bench/grafana.py
