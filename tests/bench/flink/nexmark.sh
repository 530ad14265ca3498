#!/usr/bin/env bash
# nexmark.sh [QUERY ...]: Nexmark's q5, q7 and q8 (or q0, the source alone) in weir and in Flink in turn, round by round, and the medians.
# Each system is given by its rate from a quarter of the input to its end, and by events per second of processor time: weir's of its whole process, Flink's
# over that same part, as the first one is the JIT's. Flink has two plans of each query (src/Queries.java).
# ROUNDS (5), P ("1 2"), PLANS ("local windows"), N and FLINK_N (events), CKPT (ms between checkpoints; none), WEIR (the binary), REPO (weir's sources with built plugins).
set -euo pipefail
. "$(dirname "$0")/env.sh"
: "${ROUNDS:=5}" "${P:=1 2}" "${PLANS:=local windows}" "${N:=10000000}" "${FLINK_N:=40000000}" "${CKPT:=}"
REPO="$(cd "${REPO:-$HERE/../../..}" && pwd)"
WEIR="${WEIR:-${CARGO_TARGET_DIR:-$REPO/target}/release/weir}"
export RUN_LIMIT="${RUN_LIMIT:-400}"
[ $# -gt 0 ] || set -- q5 q7 q8
RUNS="$BENCH_TMP/nexmark.txt"
: > "$RUNS"

weir_run() { # weir_run QUERY P: rate and events per CPU second. The job files, with this parallelism, lie as deep as those they come from: their paths are relative.
  local jobs="$REPO/target/nexmark" interval=1h
  [ -z "$CKPT" ] || interval="${CKPT}ms"
  mkdir -p "$jobs"
  { sed "s/^parallelism = .*/parallelism = $2/" "$REPO/plugins/nexmark/$1.toml"
    printf '\n[checkpoints]\ninterval = "%s"\n' "$interval"; } > "$jobs/$1.toml"
  (cd "$REPO" && "$WEIR" bench nexmark --quiet --folder "$jobs" --query "$1" --events "$N" --output json) | python3 -c '
import json, sys
q = json.load(sys.stdin)["queries"][0]
print(round(q["events_per_s"]), round(q["events_per_cpu_s"]))'
}

flink_run() { # flink_run QUERY P PLAN: the same, and how much of the machine others had
  "$HERE/run.sh" tag="nexmark-$1-$3" w="$1" p="$2" plan="$3" n="$FLINK_N" ${CKPT:+ckpt=$CKPT} > /dev/null
  tail -1 "$RESULTS" | python3 -c '
import json, sys
r = json.loads(sys.stdin.read())
print(r["rate"], r["cpu_rate"], r["other_busy_frac"])'
}

for p in $P; do for q in "$@"; do for round in $(seq "$ROUNDS"); do
  echo "$q $p weir $(weir_run "$q" "$p")" | tee -a "$RUNS"
  for plan in $PLANS; do echo "$q $p $plan $(flink_run "$q" "$p" "$plan")" | tee -a "$RUNS"; done
done; done; done

python3 - "$RUNS" <<'PY'
import statistics, sys
runs = {}
for line in open(sys.argv[1]):
    query, p, system, *figures = line.split()
    runs.setdefault((query, p), {}).setdefault(system, []).append([float(x) for x in figures])
print("\nmedians, M events/s by the clock and by processor time; in brackets weir's as a multiple; how busy others were")
for (query, p), systems in runs.items():
    median = lambda system, which: statistics.median(run[which] for run in systems[system]) / 1e6
    print(f"{query} p={p}  weir {median('weir', 0):.2f} {median('weir', 1):.2f}", end="")
    for plan in systems:
        if plan != "weir":
            clock, cpu = median(plan, 0), median(plan, 1)
            others = max(run[2] for run in systems[plan])
            print(f"   Flink {plan} {clock:.2f} {cpu:.2f} ({median('weir', 0) / clock:.2f} {median('weir', 1) / cpu:.2f}) others {others:.0%}", end="")
    print()
PY
