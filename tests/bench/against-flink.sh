#!/usr/bin/env bash
# against-flink.sh [PART ...]: weir and Flink in turn, A B A B, on the same job; prints each rate, the ratio pair by pair, and the median ratio.
#   count        generator → keyed count, 100,000 keys, no checkpoints
#   checkpoints  the same with 1,000,000 keys and a checkpoint every second
#   flights      the flights file × 50 as ten CSV files → running mean per aircraft → exactly-once files, a checkpoint every second
# Flink has to be installed and built first (flink/README.md). ROUNDS (5), P (2); FLIGHTS: a year of flights as .csv.gz, for `flights`.
set -euo pipefail
cd "$(dirname "$0")"
. flink/env.sh
ROOT="$(cd ../.. && pwd)"
: "${ROUNDS:=5}" "${P:=2}"
WEIR="${WEIR:-${CARGO_TARGET_DIR:-$ROOT/target}/release/weir}"
PLUGINS="${CARGO_TARGET_DIR:-$ROOT/target}/wasm32-unknown-unknown/release"
WORK="$BENCH_TMP/weir"
mkdir -p "$WORK"
[ $# -gt 0 ] || set -- count checkpoints flights

(cd "$ROOT" && cargo build --release && cargo build --release --target wasm32-unknown-unknown -p keyed-count -p flight-delays)

job() { # job PART COUNT: writes the job file
  case $1 in
  count|checkpoints)
    local keys=100000 interval=1h
    [ "$1" = count ] || { keys=1000000 interval=1s; }
    cat <<T
name = "against-flink"
parallelism = $P
[checkpoints]
interval = "$interval"
[source.records]
connector = "generator"
count = $2
keys = $keys
payload-bytes = 64
[operator.count]
plugin = "$PLUGINS/keyed_count.wasm"
input = { from = "records", by = "key" }
[sink.nothing]
connector = "blackhole"
input = "count"
T
    ;;
  flights)
    cat <<T
name = "against-flink"
parallelism = $P
[checkpoints]
interval = "1s"
[source.flights]
connector = "file"
path = "$BENCH_TMP/data/parts50/*.csv"
split = "64MiB"
format = "csv"
key = "tailnum"
[operator.mean]
plugin = "$PLUGINS/flight_delays.wasm"
input = { from = "flights", by = "key" }
config = { emit = "mean" }
[sink.out]
connector = "file"
input = "mean"
path = "out"
T
    ;;
  esac
}

weir_rate() { # weir_rate PART: records per second at the sink
  local count=60000000
  rm -rf "$WORK/.weir" "$WORK/out"
  job "$1" "$count" > "$WORK/job.toml"
  "$WEIR" run "$WORK/job.toml" -q --output json | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["outcome"] == "finished", d
print(round(d["steady_records_per_s"]))'
}

flink_rate() { # flink_rate PART
  local before args
  touch "$RESULTS"
  before=$(wc -l < "$RESULTS")
  case $1 in
  count) args="w=w2 p=$P keys=100000 n=60000000" ;;
  checkpoints) args="w=w2 p=$P keys=1000000 ckpt=1000 seconds=26 n=100000000000" ;;
  flights) rm -rf "$BENCH_TMP/out"; args="w=w4 p=$P ckpt=1000 sink=bulk in=$BENCH_TMP/data/parts50 out=$BENCH_TMP/out n=16838800" ;;
  esac
  # shellcheck disable=SC2086
  flink/run.sh tag="against-$1" $args > /dev/null
  tail -n +"$((before + 1))" "$RESULTS" | python3 -c 'import json, sys; print(json.loads(sys.stdin.readlines()[-1])["rate"])'
}

for part in "$@"; do
  if [ "$part" = flights ] && [ ! -d "$BENCH_TMP/data/parts50" ]; then
    : "${FLIGHTS:?FLIGHTS has to name a year of flights as .csv.gz}"
    flink/data.py "$FLIGHTS" "$BENCH_TMP/data"
  fi
  echo "$part, parallelism $P; load $(cut -d' ' -f1-3 /proc/loadavg)"
  : > "$WORK/pairs"
  for _ in $(seq "$ROUNDS"); do
    a=$(weir_rate "$part"); b=$(flink_rate "$part")
    echo "$a $b" | tee -a "$WORK/pairs"
  done
  python3 - "$WORK/pairs" <<'PY'
import statistics, sys
pairs = [tuple(map(float, line.split())) for line in open(sys.argv[1])]
for name, values in (("weir, M records/s", [a / 1e6 for a, _ in pairs]), ("Flink, M records/s", [b / 1e6 for _, b in pairs]), ("weir / Flink", [a / b for a, b in pairs])):
    print("  %-20s %.2f (%.2f to %.2f)" % (name, statistics.median(values), min(values), max(values)))
PY
done
