#!/usr/bin/env python3
"""Presses each key that turns the load, in tmux, and says what the access log saw of it.

    keys.py --binary target/release/rampscope --out DIR --gateway HOST:PORT --service NAME [-- ARG …]

A run of even arrivals goes through relay.py; ARG are further arguments of `rampscope run`, as
`--kubeconfig FILE`. Of each key: the rate before and after it, by the moments at which requests
came, and how long after the key the one rate bends into the other. Shares no code with rampscope.

Exits 1 if a rate is not the one that the key stands for, or if it comes more than 50 ms late.
"""
import argparse
import bisect
import json
import os
import statistics
import subprocess
import sys
import time

from readings import Access
from truth import relay

RATE = 200.0  # requests a second
EVERY = 2.0  # seconds between two keys
SETTLED = 0.12  # seconds: what comes this soon after a key says nothing of the new rate
LATEST = 0.050  # seconds
# What is typed, and the rate that it means, by the rate and the one before it. The first turn of a
# key takes the load from the profile, `h` gives it back.
KEYS = [
    ("+", ["+"], lambda now, before: now * 1.1),
    ("-", ["-"], lambda now, before: now * 0.9),
    ("[", ["["], lambda now, before: now / 2),
    ("]", ["]"], lambda now, before: now * 2),
    ("= 120", ["=", "120", "Enter"], lambda now, before: 120.0),
    ("u", ["u"], lambda now, before: before),
    ("0", ["0"], lambda now, before: 0.0),
    ("u", ["u"], lambda now, before: before),
    ("p", ["p"], lambda now, before: 0.0),
    ("p", ["p"], lambda now, before: before),
    ("h", ["h"], lambda now, before: RATE),
    ("b", ["b", "Enter"], lambda now, before: now * 3),
    ("u", ["u"], lambda now, before: before),
    ("n", ["n"], lambda now, before: RATE / 2),
]
SCENARIO = """\
name: keys
target: {{service: {service}, connections: 32}}
request: {{method: GET, path: "/", timeout: 5s}}
load:
  arrivals: even
  stages:
    - {{name: first, for: 10m, at: {rate:g}/s}}
    - {{name: second, for: 5s, at: {half:g}/s}}
"""


def rate_of(times, since, until):
    """Requests a second of evenly spaced moments, from the median gap; None if there are few."""
    seen = times[bisect.bisect_left(times, since):bisect.bisect_left(times, until)]
    if len(seen) < 3:
        return 0.0 if not seen else None
    middle = len(seen) // 2
    # Far apart, so that how late one of them was counts little.
    slopes = [(seen[it + middle] - seen[it]) / middle for it in range(len(seen) - middle)]
    return 1 / statistics.median(slopes)


def bend(times, key, until, before, after):
    """Seconds from the key to where the old line of moments meets the new one."""
    if after == 0.0:
        last = times[bisect.bisect_left(times, until) - 1]
        return max(0.0, last - key)
    if before == 0.0:
        return times[bisect.bisect_left(times, key)] - key

    def zero(since, to, rate):
        first, last = bisect.bisect_left(times, since), bisect.bisect_left(times, to)
        return statistics.median(times[n] - n / rate for n in range(first, last))

    old, new = zero(key - 1.5, key, before), zero(key + SETTLED, until, after)
    n = (new - old) / (1 / before - 1 / after)
    return old + n / before - key


def judge(times, pressed, ended):
    """Prints a line a key; whether all were as they should be."""
    now, before, all_well = RATE, RATE, True
    print(f"{'key':8} {'means':>8} {'from':>8} {'to':>8}   after the key")
    for (name, _, meaning), key, until in zip(KEYS, pressed, pressed[1:] + [ended]):
        now, before = meaning(now, before), now
        was = rate_of(times, key - 1.5, key)
        is_now = rate_of(times, key + SETTLED, until - 0.02)
        after = bend(times, key, until - 0.02, before, now)
        near = is_now is not None and abs(is_now - now) <= max(0.02 * now, 0.5)
        # A request is due at most once in a gap of the old rate or of the new one.
        gap = 1 / min(rate for rate in (before, now) if 0 < rate)
        is_well = near and -gap <= after <= LATEST + gap
        all_well = all_well and is_well
        print(f"{name:8} {now:8.1f} {was or 0:8.1f} {is_now or 0:8.1f}   {after * 1000:6.1f} ms{'' if is_well else '  WRONG'}")
    return all_well


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--binary", required=True)
    args.add_argument("--out", required=True, help="a folder, to be made")
    args.add_argument("--gateway", required=True, help="HOST:PORT")
    args.add_argument("--service", required=True)
    args.add_argument("more", nargs="*", help="what rampscope is told besides")
    args = args.parse_args()
    os.makedirs(args.out)
    scenario, run = args.out + "/keys.yaml", args.out + "/run"
    open(scenario, "w").write(SCENARIO.format(service=args.service, rate=RATE, half=RATE / 2))
    between, url = relay(args.gateway, args.out)
    name = f"rampscope-{os.getpid()}"
    tmux = ["tmux", "-L", name, "-f", "/dev/null"]
    command = [os.path.abspath(args.binary), "run", scenario, "--gateway", url, "--out", run, *args.more]
    subprocess.run([*tmux, "new-session", "-d", "-s", "it", "-x", "120", "-y", "40", *command], check=True)
    pressed = []
    try:
        # The first request wakes the service, and what waited for it leaves at once.
        time.sleep(15)
        for number, (_, typed, _) in enumerate(KEYS):
            for key in typed[:-1]:
                subprocess.run([*tmux, "send-keys", "-t", "it", key], check=True)
            pressed.append(time.time())
            subprocess.run([*tmux, "send-keys", "-t", "it", typed[-1]], check=True)
            time.sleep(EVERY)
            if number == 0:
                screen = subprocess.run([*tmux, "capture-pane", "-p", "-t", "it"], stdout=subprocess.PIPE, text=True)
                open(args.out + "/screen.txt", "w").write(screen.stdout)
        ended = time.time()
        # After the load it looks on for a while.
        for _ in range(120):
            if not os.path.exists(run + "/summary.json"):
                time.sleep(1)
    finally:
        subprocess.run([*tmux, "kill-server"], stderr=subprocess.DEVNULL)
        between.terminate()
        between.wait()
    access, traffic = Access(args.out + "/access"), json.load(open(run + "/summary.json"))["traffic"]
    all_well = judge(access.came, pressed, ended)
    print(f"sent {traffic['sent']}, in the access log {len(access.rows)}")
    sys.exit(0 if all_well and traffic["sent"] == len(access.rows) else 1)


if __name__ == "__main__":
    main()
