#!/bin/bash
# Records the runs by which our model of the decider is judged, on the rig, and scores them.
#
#     RIG=…/rig BINARY=target/debug/rampscope OUT=DIR tests/rig/decider.sh [NAME…]
#
# Each run makes a service of its own, sends a load while `rampscope watch` records, and deletes it.
# What a run changes in the cluster it puts back.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${RIG:?the rig} ${BINARY:?rampscope} ${OUT:?where records go}"
mkdir -p "$OUT"
inside() { "$RIG" exec "$@"; }
k() { inside kubectl "$@"; }
autoscaler() {
  k -n knative-serving patch configmap/config-autoscaler --type merge -p "{\"data\":{$1}}" >/dev/null
}

# load SERVICE RATE SECONDS [SLEEP_MS]: open loop, even
load() {
  inside "$BINARY" load "http://10.244.0.1:80/?sleep=${4:-100}" --host "$1.default.rig.test" \
    -r "$2" -z "$3s" --max-rate 2000 --headless --out "$OUT/load-$1-$2-$RANDOM" >/dev/null 2>&1
}

# record NAME SECONDS LOADS… -- KEY=VALUE…
record() {
  local name=$1 secs=$2 loads=(); shift 2
  while [ "$1" != -- ]; do loads+=("$1"); shift; done
  shift
  "$RIG" service "$name" "$@" >/dev/null 2>&1
  k wait --for=condition=Ready "ksvc/$name" --timeout=60s >/dev/null
  rm -rf "${OUT:?}/$name"
  inside "$BINARY" watch "$name" -n default --headless --duration "${secs}s" --out "$OUT/$name" \
    >/dev/null 2>&1 &
  local watch=$!
  sleep 4
  for each in "${loads[@]}"; do eval "$each"; done
  wait $watch
  k delete ksvc "$name" --wait=false >/dev/null
}

burst() { record burst 70 'load burst 40 20' 'load burst 545 20' 'sleep 5' -- target=10 window=20s max-scale=12; }
ramp() { record ramp 80 'for rate in 40 80 120 180 260 340 440; do load ramp $rate 8; done' -- target=10 window=20s max-scale=12; }
zero() { record zero 110 'load zero 100 8' 'sleep 62' 'load zero 200 12' -- target=10 window=10s; }
bound() { record bound 60 'load bound 500 25' -- target=10 window=20s max-scale=4; }
rps() { record rps 70 'load rps 100 20' 'load rps 400 20' -- metric=rps target=50 window=20s max-scale=12; }
weighted() { record weighted 70 'load weighted 100 20' 'load weighted 400 20' -- target=10 window=20s max-scale=12 metric-aggregation-algorithm=weighted-exponential; }
tbc-none() { record tbc-none 60 'load tbc-none 300 25' -- target=10 window=20s target-burst-capacity=0 max-scale=12; }
tbc-some() { record tbc-some 60 'load tbc-some 300 25' -- target=100 window=20s target-burst-capacity=200 min-scale=1 max-scale=12; }
tbc-all() { record tbc-all 60 'load tbc-all 300 25' -- target=10 window=20s target-burst-capacity=-1 max-scale=12; }
delay() { record delay 90 'load delay 300 15' 'load delay 60 40' -- target=10 window=10s scale-down-delay=20s max-scale=12; }
killed() {
  record killed 90 'load killed 400 12 &' 'sleep 8' \
    'k -n knative-serving delete pod -l app=autoscaler --wait=false >/dev/null' 'wait %%' 'load killed 400 40' \
    -- target=10 window=20s max-scale=12
}
changed() {
  record changed 80 'load changed 300 15' "autoscaler '\"container-concurrency-target-percentage\":\"50\"'" 'load changed 300 25' \
    -- target=10 window=20s max-scale=15
  autoscaler '"container-concurrency-target-percentage":null'
}
# dark NAME COMMAND…: the same burst where nothing exports metrics; the judge is what is asked for.
dark() {
  "$RIG" metrics none >/dev/null
  sleep 10
  "$@"
  "$RIG" metrics prometheus >/dev/null
  sleep 10
}
dark-watch() { dark record dark-watch 70 'load dark-watch 40 20' 'load dark-watch 545 20' 'sleep 5' -- target=10 window=20s max-scale=12; }
# Here the load is our own, so that what waits in activators can be inferred.
dark-run() {
  "$RIG" service dark-run target=10 window=20s max-scale=12 >/dev/null 2>&1
  k wait --for=condition=Ready ksvc/dark-run --timeout=60s >/dev/null
  rm -rf "${OUT:?}/dark-run"
  cat >"$OUT/dark-run.yaml" <<'SCENARIO'
name: dark-run
target: {service: dark-run, connections: 400}
request: {path: "/?sleep=100", timeout: 30s}
load:
  arrivals: even
  stages:
    - {name: calm, for: 20s, at: 40/s}
    - {name: burst, for: 20s, at: 545/s}
SCENARIO
  dark inside "$BINARY" run "$OUT/dark-run.yaml" --headless --out "$OUT/dark-run" >/dev/null 2>&1
  k delete ksvc dark-run --wait=false >/dev/null
}

runs=("$@")
[ $# -gt 0 ] || runs=(burst ramp zero bound rps weighted tbc-none tbc-some tbc-all delay killed changed)
for name in "${runs[@]}"; do "$name"; done
python3 "$here/score.py" --binary "$BINARY" $(printf "$OUT/%s " "${runs[@]}")
