#!/usr/bin/env python3
"""Scores our model of the decider against what the autoscaler itself reported, from records.

    score.py --binary target/debug/rampscope RUN…

Of each record's decisions (`rampscope explain RUN --json`) only those count in which the autoscaler
panicked, or within ten seconds of a change of what it desired. One line a record: how many, how
often the pods were equal, within one, or further off; and how often panic was right, early or late
by a tick, or wrong by more. With --asked the judge is not the autoscaler's word, which may not be
exported, but what the PodAutoscaler asks for; decisions of which we say nothing are counted apart.
"""
import argparse
import json
import subprocess


def decisions(binary, run):
    text = subprocess.run([binary, "explain", run, "--json"], check=True, capture_output=True)
    return [json.loads(line) for line in text.stdout.splitlines()]


def asked(ticks):
    """Where nothing is exported: ours and theirs after bounds."""
    for tick in ticks:
        tick["lines"]["model"], tick["lines"]["autoscaler"] = tick["pods"], tick["lines"]["asked"]
    return ticks


def scored(ticks):
    """The decisions that count, by their index."""
    changed = [
        tick["at_s"]
        for before, tick in zip(ticks, ticks[1:])
        if before["lines"]["autoscaler"] != tick["lines"]["autoscaler"]
    ]
    for idx, tick in enumerate(ticks):
        lines = tick["lines"]
        if lines["autoscaler"] is None:
            continue
        near = any(0 <= tick["at_s"] - at <= 10 for at in changed)
        if lines["autoscaler_panicking"] or near:
            yield idx


def panic(ticks, idx):
    """Ours against theirs: right, early or late by one tick, or wrong."""
    theirs = lambda idx: ticks[idx]["lines"]["autoscaler_panicking"]
    ours = ticks[idx]["lines"]["model_panicking"]
    if theirs(idx) is None or ours == theirs(idx):
        return "right"
    if idx + 1 < len(ticks) and ours == theirs(idx + 1):
        return "early"
    if 0 < idx and ours == theirs(idx - 1):
        return "late"
    return "wrong"


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--binary", required=True)
    args.add_argument("--exported", action="store_true", help="also decisions over exported averages")
    args.add_argument("--asked", action="store_true", help="judge by what is asked for")
    args.add_argument("runs", nargs="+", metavar="RUN")
    args = args.parse_args()
    head = ["run", "ticks", "equal", "within 1", "more", "right", "early", "late", "wrong", "unnamed", "unknown"]
    print(("{:24}" + "{:>9}" * 10).format(*head))
    all_ticks = equal_ticks = 0
    for run in args.runs:
        ticks = decisions(args.binary, run)
        if args.asked:
            ticks = asked(ticks)
        of_pods = lambda tick: args.exported or tick["input"]["source"] == "queue-proxies"
        all_rows = list(scored(ticks))
        unknown = sum(1 for idx in all_rows if ticks[idx]["lines"]["model"] is None)
        rows = [idx for idx in all_rows if ticks[idx]["lines"]["model"] is not None and of_pods(ticks[idx])]
        apart = [abs(ticks[i]["lines"]["model"] - ticks[i]["lines"]["autoscaler"]) for i in rows]
        turns = [panic(ticks, i) for i in rows]
        unnamed = sum(1 for i, by in zip(rows, apart) if 1 < by and "model" not in ticks[i]["causes"])
        all_ticks, equal_ticks = all_ticks + len(rows), equal_ticks + apart.count(0)
        counts = [len(rows), apart.count(0), apart.count(1), sum(1 for by in apart if 1 < by)]
        counts += [turns.count(word) for word in ("right", "early", "late", "wrong")] + [unnamed, unknown]
        print(("{:24}" + "{:>9}" * 10).format(run.rstrip("/").split("/")[-1][-24:], *counts))
    if all_ticks:
        print(f"{equal_ticks} of {all_ticks} equal, {100 * equal_ticks / all_ticks:.1f} %")


if __name__ == "__main__":
    main()
