#!/usr/bin/env bash
# nexmark-check.sh: whether Flink's queries give what tests/nexmark/reference.py computes from the events that weir's source makes: row for row, both plans, p = 1 and 2.
# The first events lie densely, with many in a window; the others hours apart, with bids of a window's very end. WEIR (the binary).
set -euo pipefail
. "$(dirname "$0")/env.sh"
ROOT="$(cd "$HERE/../../.." && pwd)"
WEIR="${WEIR:-${CARGO_TARGET_DIR:-$ROOT/target}/release/weir}"
WORK="$BENCH_TMP/nexmark-check"

check() { # check EVENT-RATE SEED
  rm -rf "$WORK"; mkdir -p "$WORK"
  cat > "$WORK/job.toml" <<T
name = "events"
parallelism = 1
[source.events]
connector = "nexmark"
count = 100_000
event-rate = $1
seed = $2
[sink.all]
connector = "file"
input = "events"
path = "events"
format = "jsonl"
T
  (cd "$WORK" && "$WEIR" run job.toml --quiet --no-api)
  for p in 1 2; do for plan in local windows; do
    for q in q5 q7 q8; do "$HERE/run.sh" tag=check w=$q p=$p plan=$plan n=100000 eventrate="$1" seed="$2" ckpt=100 out="$WORK/$q" > /dev/null; done
    rows=$(python3 "$ROOT/tests/nexmark/reference.py" "$WORK/events" q5="$WORK/q5" q7="$WORK/q7" q8="$WORK/q8") || { echo "$plan, p=$p: $rows"; exit 1; }
    echo "$1 events a second, seed $2, p=$p, $plan: "$rows
  done; done
}

check 1000 7
check 5 1
