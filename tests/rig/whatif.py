#!/usr/bin/env python3
"""Predicts one run from the record of another, then does that run, and tells how far it was off.

    tests/rig/whatif.py --binary target/debug/rampscope --out DIR --rig PATH/rig
    tests/rig/whatif.py --binary target/debug/rampscope --out DIR --sim

For each pair a service is made under the first configuration and loaded; `rampscope whatif` says
from its record what the second configuration would give, and that is written down before a service
under the second is made and met with the same load. Goal: the most ready pods within one, pod
seconds within ten percent, panic or not the same. Exit code 0 if every pair keeps all three.
"""
import argparse
import json
import os
import subprocess
import sys

BASE = {"target": "10", "window": "20s", "max-scale": "12"}
# What differs between the two runs of a pair: annotation and value.
PAIRS = [
    ("half the pods", {}, {"target": "20"}),
    ("a longer window", {}, {"window": "40s"}),
    ("no panic", {}, {"panic-threshold-percentage": "1000", "max-scale": "20"}),
    ("twice the pods", {"target": "20"}, {"target": "10"}),
    ("a wide panic window", {}, {"target": "15", "panic-window-percentage": "50"}),
]
STAGES = [("calm", 15, 3), ("burst", 30, 40), ("calm again", 45, 5)]


def scenario(path, service, image, annotations, sleep_ms):
    """The same load each time: users who wait, so that what is in flight is what was planned."""
    lines = [
        "name: whatif",
        "target:",
        f"  service: {service}",
        "  create:",
        f"    image: {image}",
        "    annotations:",
        *[f'      {key}: "{value}"' for key, value in annotations.items()],
        "request:",
        "  method: GET",
        f'  path: "/?sleep={sleep_ms}"',
        "  timeout: 30s",
        "load:",
        "  arrivals: closed",
        "  stages:",
        *[f"    - {{name: {name}, for: {secs}s, at: {users} users}}" for name, secs, users in STAGES],
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


class World:
    """Where the program runs: inside the rig, or beside the embedded cluster."""

    def __init__(self, args):
        self.binary = os.path.abspath(args.binary)
        self.prefix, self.env, self.sim = [], dict(os.environ), None
        self.options = []
        self.image = "rig.local/app:v1"
        if args.rig:
            self.prefix = [args.rig, "exec"]
        else:
            self.sim = subprocess.Popen([self.binary, "sim"], stdout=subprocess.PIPE, text=True)
            up = json.loads(self.sim.stdout.readline())
            self.env["KUBECONFIG"] = up["kubeconfig"]
            self.image = "sim.local/app:v1"

    def run(self, *words):
        """What it prints; whatever it says of itself goes to our stderr."""
        command = [*self.prefix, self.binary, *words]
        done = subprocess.run(command, env=self.env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(words)} ended with {done.returncode}")
        return done.stdout

    def end(self):
        if self.sim:
            self.sim.terminate()
            self.sim.wait()


def sets(annotations):
    return [word for key, value in annotations.items() for word in ("--set", f"{key}={value}")]


def one_run(world, out, name, annotations):
    folder = os.path.join(out, name)
    path = os.path.join(out, f"{name}.yaml")
    # A service of its own: pods of the run before may still be going.
    scenario(path, name, world.image, annotations, 500)
    world.run("run", path, "--headless", "--json", "--yes", "--out", folder)
    return folder


def told(side):
    return (
        f"ready at most {side['ready_max']:>3}  pod seconds {side['pod_seconds']:>6.0f}  "
        f"panics {side['panics']}  short {side['short_s']:.0f} s  cold starts {side['cold_starts']}"
    )


def pair(world, out, idx, changes):
    about, first, second = changes
    before, after = BASE | first, BASE | second
    record = one_run(world, out, f"pair{idx}-a", before)
    differs = {key: value for key, value in after.items() if before.get(key) != value}
    answer = json.loads(world.run("whatif", record, "--json", *sets(differs)))
    predicted = answer["as_it_would_be"]
    # Written down before it is tried.
    with open(os.path.join(out, f"pair{idx}-prediction.json"), "w", encoding="utf-8") as file:
        json.dump({"set": differs, "predicted": predicted, "was": answer["as_it_was"]}, file, indent=1)
    print(f"\n{idx}. {about}: {before} then {differs}")
    print(f"   as it was   {told(answer['as_it_was'])}")
    print(f"   modelled    {told(answer['as_it_was_by_the_model'])}")
    print(f"   predicted   {told(predicted)}", flush=True)
    record = one_run(world, out, f"pair{idx}-b", after)
    came = json.loads(world.run("whatif", record, "--json", *sets({"window": after["window"]})))
    came = came["as_it_was"]
    off = predicted["pod_seconds"] / came["pod_seconds"] - 1
    verdicts = [
        abs(predicted["ready_max"] - came["ready_max"]) <= 1,
        abs(off) <= 0.1,
        (0 < predicted["panics"]) == (0 < came["panics"]),
    ]
    print(f"   came        {told(came)}")
    words = ["peak", f"pod seconds {off:+.1%}", "panic"]
    marks = [f"{'✓' if kept else '✗'} {word}" for kept, word in zip(verdicts, words)]
    print(f"   {'   '.join(marks)}", flush=True)
    return all(verdicts)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--binary", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--pairs", default="1 2 3 4 5", help="which pairs, by number")
    place = args.add_mutually_exclusive_group(required=True)
    place.add_argument("--rig", help="the rig's command")
    place.add_argument("--sim", action="store_true", help="the embedded cluster")
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    world = World(args)
    try:
        wanted = [int(number) for number in args.pairs.split()]
        kept = [pair(world, args.out, idx, PAIRS[idx - 1]) for idx in wanted]
    finally:
        world.end()
    print(f"\n{sum(kept)} of {len(kept)} pairs within one pod, ten percent, and right about panic")
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
