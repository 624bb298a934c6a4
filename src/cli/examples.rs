//! What stands below the help of each command: lines to copy.

pub(super) const TOP: &str = "\
Examples:
  rampscope                              the demo, on an embedded cluster
  rampscope watch hello                  watch a Knative Service, send nothing
  rampscope run panic                    send load to the service `hello` until it panics
  rampscope load http://127.0.0.1:8080 -r 200 -z 30s
  rampscope doctor                       what can be seen of this cluster

Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 preflight failed, 4 target or cluster
lost, 5 not put back, 70 a bug, 130 stopped.";

pub(super) const DEMO: &str = "\
Examples:
  rampscope demo
  rampscope demo --seed 3 --theme light
  rampscope demo --headless --json --duration 30s";

pub(super) const RUN: &str = "\
Examples:
  rampscope run panic
  rampscope run scenarios/steady.yaml -n shop --set target.service=cart
  rampscope run panic --set load.stages.burst.at=600/s --max-rate 1000
  rampscope run my.yaml --headless --json --out results > run.jsonl";

pub(super) const WATCH: &str = "\
Examples:
  rampscope watch
  rampscope watch -A
  rampscope watch hello -n shop --context staging
  rampscope watch hello --headless --duration 5m";

pub(super) const LOAD: &str = "\
Examples:
  rampscope load http://127.0.0.1:8080
  rampscope load http://127.0.0.1:8080/?sleep=100 -r 200/s -z 1m --poisson
  rampscope load http://127.0.0.1:8080 -c 20 -n 10000 --headless --latency
  rampscope load http://127.0.0.1:8080 -r 500 --json | tail -1 | jq .traffic.response_time
  rampscope load http://10.0.0.1 --host hello.example.com -m POST -d @body.json";

pub(super) const REPLAY: &str = "\
Examples:
  rampscope replay last
  rampscope replay results --speed 10
  rampscope replay results --headless --latency --latency-log results.hlog";

pub(super) const EXPLAIN: &str = "\
Examples:
  rampscope explain last                 a line for each decision
  rampscope explain last --at 45s        one of them, step by step
  rampscope explain results --at 14:03:22.4
  rampscope explain last --json | jq .headline";

pub(super) const WHATIF: &str = "\
What the load asked for is taken from the record (concurrency is taken as demand), and pods become
ready as those of the record did. Nothing is changed in any cluster: the last lines say how to.

Examples:
  rampscope whatif last --set target=50 --set panic-window=20%
  rampscope whatif last --find target --under 'p95<300ms'
  rampscope whatif results --find target --find window=20s,60s --under 'short<10s' --json
  rampscope whatif concurrency.csv --set target=20 --cold-start 5s --ready 1";

pub(super) const SIM: &str = "\
When it is up it prints one line of JSON with the path of a kubeconfig, the address of the
gateway, the host of the service and the addresses of the metrics; it runs until it is stopped.

Examples:
  rampscope sim
  rampscope sim --seed 3";

pub(super) const VALIDATE: &str = "\
Examples:
  rampscope validate demo
  rampscope validate scenarios/panic.yaml scenarios/steady.yaml
  rampscope validate panic --set load.stages.burst.at=600/s";

pub(super) const PLAN: &str = "\
Examples:
  rampscope plan panic
  rampscope plan scenarios/demo.yaml --duration 30s
  rampscope plan panic --set target.url=http://127.0.0.1:8080 --set target.service= --json";

pub(super) const DOCTOR: &str = "\
Examples:
  rampscope doctor
  rampscope doctor hello -n shop
  rampscope doctor --json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  rampscope completions bash > ~/.local/share/bash-completion/completions/rampscope
  rampscope completions zsh > ~/.zfunc/_rampscope
  rampscope completions fish > ~/.config/fish/completions/rampscope.fish";

pub(super) const MAN: &str = "\
Examples:
  rampscope man | man -l -
  rampscope man --out ~/.local/share/man/man1";
