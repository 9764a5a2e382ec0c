#!/usr/bin/env bash
# Makes the pictures of the documentation anew: docs/outage.svg, docs/now.png, and docs/incident.png, from a run of the demo.
#
#   tests/bench/pictures.sh [PROGRAM]      PROGRAM: default is a release build of this folder
#
# Needs chromium. A picture over 150 kB is an error: the package and every clone carry it.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [[ $# -gt 0 ]]; then
    mailpulse=$(realpath "$1")
else
    cargo build --release --bin mailpulse
    mailpulse=$(realpath "${CARGO_TARGET_DIR:-target}/release/mailpulse")
fi
command -v chromium >/dev/null || { echo "pictures.sh: no chromium here; run: apt-get install chromium" >&2; exit 2; }
work=$(mktemp -d)
serve=
trap '[[ -z $serve ]] || kill "$serve"; rm -rf "$work"' EXIT
"$mailpulse" demo "$work/demo" >"$work/demo.txt"
store=$work/demo/store

"$mailpulse" --store "$store" graph --since 2018-06-06T06:00Z --until 2018-06-07T06:00Z --bucket 30m \
    --only wiki,phabricator,gerrit,otrs,sentry,oozie --width 1000 --height 620 --out docs/outage.svg

# The pages, as they were ten minutes into the outage, and the incident when it was over.
page() { # NAME TIME PATH HEIGHT
    "$mailpulse" --store "$store" serve --listen 127.0.0.1:18425 --at "$2" >"$work/serve.txt" 2>&1 &
    serve=$!
    for _ in $(seq 100); do
        # The first answers may say that the history is being replayed.
        [[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:18425$3" || true) == 200 ]] && break
        sleep 0.5
    done
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --timeout=5000 --window-size="1000,$4" \
        --blink-settings=preferredColorScheme=1 --user-data-dir="$work/profile" --screenshot="docs/$1.png" \
        "http://127.0.0.1:18425$3" 2>"$work/chromium.txt"
    kill "$serve"
    wait "$serve" || true
    serve=
}
page now 2018-06-06T19:05Z / 740
page incident 2018-06-07T06:00Z '/incident?alarm=relay/mx1001/2018-06-06T18:55:00Z' 1000

for picture in docs/now.png docs/incident.png; do
    size=$(stat -c %s "$picture")
    [[ $size -lt 150000 ]] || { echo "pictures.sh: $picture has $size bytes; make the window smaller" >&2; exit 1; }
    echo "$picture: $size bytes"
done
