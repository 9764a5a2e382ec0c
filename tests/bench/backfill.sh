#!/usr/bin/env bash
# How much does it cost to read an Exim main log? mailpulse beside eximstats, mtail and wc.
#
#   tests/bench/backfill.sh [SIZE_MB=500] [RUNS=3]
#
# Prints a Markdown table of medians: CPU seconds (user + system, children included), wall seconds,
# peak memory. The programs take turns within every run, so that a busy moment hits all alike.
#
#   MAILPULSE=path   the binary; default target/release/mailpulse
#   LOG=file         measure this log instead of a generated one; SIZE_MB is then ignored
#   MTAIL="a b"      mtail's programs; default exim.mtail (counters by host) and exim_services.mtail (by service)
#   SLOW_MB=100      eximstats and mtail read only so much of it, and are scaled to the whole; 0: read all
#   TMPDIR=folder    where log, archive and stores go: about twice SIZE_MB
#
# Needs python3, gzip and GNU time (without it, peak memory is nan); measures eximstats (Debian: exim4-base) and mtail (Debian: mtail) if they are there.
set -euo pipefail
cd "$(dirname "$0")/../.."

export SIZE_MB=${1:-500} RUNS=${2:-3} SLOW_MB=${SLOW_MB:-100}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse} LOG=${LOG:-}

if [[ ! -x $MAILPULSE ]]; then
    echo "backfill.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export WORK

if [[ -z $LOG ]]; then
    LOG=$WORK/mainlog
    echo "backfill.sh: writing $SIZE_MB MB of log" >&2
    "$MAILPULSE" simulate --exim-log "$LOG" --bytes $((SIZE_MB * 1000000)) --seed 1 >&2
fi
if [[ ! -s $LOG ]]; then
    echo "backfill.sh: there is no log at $LOG" >&2
    exit 2
fi
echo "backfill.sh: compressing" >&2
gzip -c "$LOG" >"$WORK/mainlog.gz"
python3 tests/bench/backfill.py
