#!/usr/bin/env python3
"""Compares what rampscope showed with what a real Knative said.

    check_snapshots.py --record FILE RUN_FOLDER [--log FILE] [--plan]

Shares no code with rampscope: it reads the JSON of the snapshots and the summary on one side, and
on the other the raw texts of `rig/record.py` (written by beside.py, which adds when it began) and
the autoscaler's own log.

What counts as equal, by source:

autoscaler metrics, activator metrics
    read every second by both. The value must be that of the record's reading just before or just
    after the moment at which rampscope read (the snapshot's time less the value's age), and that
    reading no farther away than one interval and SLACK. Where the record itself had a longer gap,
    a change inside of the gap was never recorded: `explained`, if the value lies between.
queue-proxies
    the same, a pod each.
watch pods, podautoscalers, serverlessservices
    told by the API server to both: the state of the record at one moment within SLACK.
metrics.k8s.io
    joined on the sample's own stamp (whole seconds), a pod each; the sum is of these.
load
    rampscope's own; held against the plan: the rate asked for, and the counts against each other.

Exits 1 if one value is wrong.
"""
import argparse
import base64
import collections
import datetime
import glob
import json
import math
import re
import struct
import sys

INTERVAL = 1.0  # seconds: how often both read metrics
SLACK = 0.5  # seconds: two watchers are told at different moments, an answer takes its time
TICK = 2.0  # seconds: how often the autoscaler decides
FIELDS = {
    "autoscaler.panic_average": "kn_revision_concurrency_panic",
    "autoscaler.stable_average": "kn_revision_concurrency_stable",
    "autoscaler.target": "kn_revision_concurrency_target",
    "autoscaler.ready": "kn_revision_pods_count",
    "autoscaler.wanted": "kn_revision_pods_desired",
    "autoscaler.excess_burst_capacity": "kn_revision_capacity_excess",
    "autoscaler.panic": "kn_revision_panic_mode",
}
SAMPLE = re.compile(r'^([a-z_]+)\{(.*)\} (\S+)$')
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


def wall(stamp):
    """Seconds since 1970 of an RFC 3339 stamp, of any number of digits."""
    match = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(\.\d+)?Z", stamp)
    whole = datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.timezone.utc)
    return whole.timestamp() + float(match[2] or 0)


def exposition(text, revision):
    """Name to value of the samples of one revision."""
    values = {}
    for line in text.split("\n"):
        match = SAMPLE.match(line)
        if match and dict(LABEL.findall(match[2])).get("kn_revision_name") == revision:
            values[match[1]] = float(match[3])
    return values


def stat(message):
    """The fields of a queue-proxy's protobuf Stat: number to double."""
    fields, at = {}, 0
    while at < len(message):
        tag, at = message[at], at + 1
        if tag & 7 == 1:
            fields[tag >> 3], at = struct.unpack_from("<d", message, at)[0], at + 8
        elif tag & 7 == 2:
            at += 1 + message[at]
        else:
            break
    return fields


def quantity(text, suffixes):
    for suffix, factor in suffixes.items():
        if text.endswith(suffix):
            return float(text[: -len(suffix)]) * factor
    return float(text)


def usage(item):
    """Millicores, rounded up a container as kubectl does, and bytes."""
    cpu = {"n": 1e-6, "u": 1e-3, "m": 1.0}
    memory = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
    millis = [quantity(it["usage"]["cpu"], cpu) * (1 if it["usage"]["cpu"][-1] in "num" else 1000)
              for it in item["containers"]]
    return (sum(math.ceil(it - 1e-9) for it in millis),
            sum(quantity(it["usage"]["memory"], memory) for it in item["containers"]))


class Readings:
    """Values over time, read now and then."""

    def __init__(self):
        self.all = []

    def add(self, at, value):
        self.all.append((at, value))

    def around(self, at):
        before = [it for it in self.all if it[0] <= at][-1:]
        return before + [it for it in self.all if at < it[0]][:1]

    def judge(self, shown, at, close=1e-6, changes_every=TICK):
        near = self.around(at)
        if not near:
            return "wrong", "nothing was recorded"
        words = ", ".join(f"{value:g} at {when - at:+.2f} s" for when, value in near)
        if any(abs(value - shown) <= close and abs(when - at) <= INTERVAL + SLACK for when, value in near):
            return "equal", words
        values = [value for _, value in near]
        gap = near[-1][0] - near[0][0]
        if at < near[0][0]:
            return "explained", f"the record knew it only later: {words}"
        if min(changes_every, INTERVAL + SLACK) <= gap and len(near) == 2:
            return "explained", f"the record has a gap of {gap:.1f} s: {words}"
        wider = [it for it in self.all if abs(it[0] - at) <= TICK + SLACK]
        for when, value in wider:
            if abs(value - shown) <= close:
                return "explained", f"{value:g} at {when - at:+.2f} s, one reading further: {words}"
        return "wrong", words


class Record:
    def __init__(self, path, revision):
        self.revision, self.start = revision, float(open(path + ".start").read())
        self.autoscaler = collections.defaultdict(Readings)
        self.activator, self.activators = Readings(), {}
        self.stats = collections.defaultdict(lambda: (Readings(), Readings()))
        self.pods, self.pa, self.sks = [], [], []
        self.usage = collections.defaultdict(dict)
        for line in open(path):
            try:
                self.take(json.loads(line))
            except json.JSONDecodeError:
                break
        for line in open(path + ".usage"):
            try:
                item = json.loads(line)
            except json.JSONDecodeError:
                break
            self.usage[item["metadata"]["name"]].setdefault(item["timestamp"], set()).add(usage(item))

    def take(self, entry):
        at, kind, name, body = self.start + entry["t"], entry["kind"], entry["name"], entry["body"]
        if kind == "exposition" and name in ("autoscaler", "activator"):
            values = exposition(body, self.revision)
            if name == "activator":
                if "kn_revision_request_concurrency" in values:
                    self.activator.add(at, values["kn_revision_request_concurrency"])
            else:
                for field, value in values.items():
                    self.autoscaler[field].add(at, value)
        elif kind == "stat":
            fields = stat(base64.b64decode(body))
            for readings, number in zip(self.stats[name], (2, 4)):
                readings.add(at, fields.get(number, 0.0))
        elif kind == "watch" and body["type"] not in ("BOOKMARK", "ERROR"):
            thing, is_gone = body["object"], body["type"] == "DELETED"
            if name == "pods" and thing["metadata"].get("labels", {}).get("serving.knative.dev/revision") == self.revision:
                self.pods.append((at, thing["metadata"]["uid"], None if is_gone else thing))
            elif name in ("podautoscalers", "serverlessservices") and thing["metadata"]["name"] == self.revision:
                (self.pa if name == "podautoscalers" else self.sks).append((at, None if is_gone else thing))

    def moments(self, changes, at):
        """The moments at which what is watched may have been seen at `at`."""
        return [at - SLACK] + [when for when, *_ in changes if at - SLACK < when <= at + SLACK]

    def pods_at(self, at):
        pods = {}
        for when, uid, pod in self.pods:
            if at < when:
                break
            pods[uid] = pod
        return [pod for pod in pods.values() if pod]

    @staticmethod
    def state(pod):
        status = pod.get("status", {})
        ready = {it["type"]: it["status"] for it in status.get("conditions") or []}.get("Ready")
        if status.get("phase") in ("Succeeded", "Failed"):
            return "finished"
        if pod["metadata"].get("deletionTimestamp"):
            return "terminating"
        return "ready" if status.get("phase") == "Running" and ready == "True" else "starting"

    def counts(self, at):
        return collections.Counter(self.state(pod) for pod in self.pods_at(at))

    def newest(self, changes, at):
        seen = [thing for when, thing in changes if when <= at]
        return seen[-1] if seen else None

    def cold_starts(self, began, until):
        """Of each pod made and ready in the run: when it was ready and how long that took."""
        first, ready, starts = {}, set(), []
        listed = self.pods[0][0] + 0.1 if self.pods else 0
        for when, uid, pod in self.pods:
            first.setdefault(uid, when)
            if pod and self.state(pod) == "ready" and uid not in ready:
                ready.add(uid)
                if listed < when and began < when <= until:
                    # The record may hear of a pod late, so it was made between its stamp and then.
                    starts.append((when, when - first[uid], when - wall(pod["metadata"]["creationTimestamp"])))
        return starts


class Checker:
    def __init__(self, record, log):
        self.record, self.log = record, log
        self.tally, self.rows = collections.Counter(), []

    def say(self, name, shown, verdict, words):
        self.tally[verdict] += 1
        self.moment[verdict] += 1
        if verdict == "equal":
            return
        print(f"    {verdict:9} {name:34} shown {shown}: {words}")

    def any_of(self, name, shown, possible, words=""):
        is_equal = any(shown == it or (isinstance(shown, float) and isinstance(it, (int, float)) and abs(shown - it) <= 1e-6) for it in possible)
        self.say(name, shown, "equal" if is_equal else "wrong", words or f"it was {sorted(possible, key=str)}")

    def snapshot(self, path, began):
        shot = json.load(open(path))
        at, self.moment = wall(shot["time"]), collections.Counter()
        values = {it["name"]: it for it in shot["values"]}
        head = f"{shot['time']} ({shot['seconds']:.1f} s)"
        print(head)
        for value in shot["values"]:
            self.value(value, at, values, shot["seconds"], began)
        self.pods(shot, at)
        self.rows.append((head, values, dict(self.moment)))

    def value(self, value, at, values, seconds, began):
        name, shown, age, source = value["name"], value["value"], value["age_s"], value["source"]
        record = self.record
        read = at - (age or 0)
        if source in ("autoscaler metrics", "activator metrics") and shown is not None:
            if age is None or 2 * INTERVAL + SLACK < age:
                return self.say(name, shown, "wrong", f"its age is {age}")
        if name in FIELDS and source == "autoscaler metrics" and shown is not None:
            self.say(name, shown, *record.autoscaler[FIELDS[name]].judge(shown, read))
        elif name == "autoscaler.panic" and source == "autoscaler log":
            self.any_of(name, shown, {1.0 if self.panics_by_log(it) else 0.0 for it in (at - SLACK, at)})
        elif name == "autoscaler.panic_begins_above" and shown is not None:
            threshold = values["autoscaler.panic_threshold"]["value"]
            ready, target = values["autoscaler.ready"]["value"], values["autoscaler.target"]["value"]
            self.any_of(name, shown, {(math.ceil(threshold * max(1, ready)) - 1) * target})
        elif name == "autoscaler.held_max" and shown is not None:
            begun = [when for is_panic, when in self.log if is_panic and when <= at][-1]
            wanted = [it for it in record.autoscaler["kn_revision_pods_desired"].all if begun <= it[0] <= read + INTERVAL]
            most = max((value for _, value in wanted), default=None)
            before = max((value for when, value in wanted if when <= read), default=None)
            # Where the record had a gap, the wish that is shown beside it counts.
            self.any_of(name, shown, {most, before, max(before or 0, values["autoscaler.wanted"]["value"])})
        elif name == "autoscaler.state_lasts" and shown is not None:
            edges = [when for is_panic, when in self.log if is_panic == (values["autoscaler.panic"]["value"] == 1.0)]
            off = min((abs(at - shown - when) for when in edges), default=math.inf)
            self.say(name, shown, "equal" if off <= TICK else "wrong", f"{off:.2f} s off the log")
        elif name == "autoscaler.panic_leaves_in" and shown is not None:
            window = 20.0
            pa = record.newest(record.pa, at)
            if pa:
                window = float(pa["metadata"]["annotations"].get("autoscaling.knative.dev/window", "60s").rstrip("s"))
            ends = [when for is_panic, when in self.log if not is_panic and at < when]
            # It can end this soon, not sooner; one tick and one interval for having seen it.
            is_true = shown <= window and (not ends or at + shown <= ends[0] + TICK + INTERVAL)
            self.say(name, shown, "equal" if is_true else "wrong", f"it ended {ends[0] - at if ends else math.nan:.1f} s later")
        elif name in ("pods.ready", "pods.starting", "pods.terminating"):
            state = name.split(".")[1]
            counts = [record.counts(it)[state] for it in record.moments(record.pods, at)]
            self.any_of(name, shown, set(counts))
        elif name == "pods.desired":
            things = [record.newest(record.pa, it) for it in record.moments(record.pa, at)]
            self.any_of(name, shown, {it["status"].get("desiredScale") for it in things if it})
        elif name == "pods.max_scale":
            pa = record.newest(record.pa, at)
            said = pa["metadata"]["annotations"].get("autoscaling.knative.dev/max-scale")
            self.any_of(name, shown, {float(said) if said else None})
        elif name == "autoscaler.via_activator":
            possible = set()
            for moment in record.moments(record.sks, at):
                sks = record.newest(record.sks, moment)
                status = {it["type"]: it["status"] for it in (sks or {}).get("status", {}).get("conditions", [])}
                possible.add({"True": 1.0, "False": 0.0}.get(status.get("ActivatorEndpointsPopulated")))
            self.any_of(name, shown, possible)
        elif name == "activator.concurrency" and shown is not None:
            self.say(name, shown, *record.activator.judge(shown, read, changes_every=1.0))
        elif name.startswith("pods.cold_start"):
            self.cold_start(name, shown, at, began)
        elif name == "load.target":
            self.target(name, shown, seconds)
        elif name in ("load.offered", "load.sent", "load.done") and shown is not None:
            self.say(name, shown, "equal" if 0 <= shown else "wrong", "a rate")
        elif name in ("load.p50", "load.p99", "load.max") and shown is not None:
            p50, p99, most = (values[f"load.{it}"]["value"] for it in ("p50", "p99", "max"))
            # The workload sleeps for 100 ms, so no answer can be faster.
            is_true = 0.1 <= p50 <= p99 <= most * 1.001
            self.say(name, shown, "equal" if is_true else "wrong", f"{p50} {p99} {most}")

    def target(self, name, shown, seconds):
        """The rate of the plan, at the end of the newest interval (a tenth of a second long)."""
        possible = [self.planned(seconds - self.load_began - ago / 100) for ago in range(-5, 130)]
        is_equal = shown is not None and min(possible) - 1e-6 <= shown <= max(possible) + 1e-6
        self.say(name, shown, "equal" if is_equal else "wrong", f"planned {min(possible):g} to {max(possible):g}")

    def planned(self, at):
        for stage in self.stages:
            lasts = stage["lasts"]["secs"] + stage["lasts"]["nanos"] / 1e9
            if at < lasts:
                return stage["from"] + (stage["to"] - stage["from"]) * max(at, 0) / lasts
            at -= lasts
        return self.stages[-1]["to"]

    def cold_start(self, name, shown, at, began):
        """A start is measured by rampscope's clock or, if it did not see all of it, from stamps in
        whole seconds, so one second either way; the record's own clock is the judge."""
        verdicts = []
        for until in (at - SLACK, at, at + SLACK):
            starts = self.record.cold_starts(began, until)
            if name == "pods.cold_starts":
                verdicts.append((shown == len(starts), len(starts)))
            elif not starts or shown is None:
                verdicts.append((not starts and shown is None, None))
            elif name == "pods.cold_start":
                near = [it[1:] for it in starts if starts[-1][0] - 0.6 <= it[0]]
                verdicts.append((any(least - SLACK <= shown <= most + SLACK for least, most in near), near))
            else:
                rank = math.ceil(len(starts) * 0.95) - 1
                least, most = (sorted(it[number] for it in starts)[rank] for number in (1, 2))
                verdicts.append((least - SLACK <= shown <= most + SLACK, (least, most)))
        is_equal = any(it for it, _ in verdicts)
        self.say(name, shown, "equal" if is_equal else "wrong", f"recorded {[it for _, it in verdicts]}")

    def pods(self, shot, at):
        shown = {pod["name"]: pod for pod in shot["pods"]}
        possible = [{pod["metadata"]["name"]: pod for pod in self.record.pods_at(it) if self.record.state(pod) != "finished"}
                    for it in self.record.moments(self.record.pods, at)]
        names = [set(it) for it in possible]
        self.say("the pods shown", len(shown), "equal" if set(shown) in names else "wrong", f"{[len(it) for it in names]}")
        samples = []
        for name, pod in shown.items():
            short = name[-5:]
            there = [it[name] for it in possible if name in it]
            self.any_of(f"{short} state", pod["state"], {self.record.state(it) for it in there})
            if there:
                created = wall(there[0]["metadata"]["creationTimestamp"])
                off = abs(at - created - pod["age_s"])
                self.say(f"{short} age", pod["age_s"], "equal" if off < 0.01 else "wrong", f"{at - created:.1f}")
            for field, readings in zip(("concurrency", "rps"), self.record.stats[name]):
                if pod[field] is not None:
                    self.say(f"{short} {field}", pod[field], *readings.judge(pod[field], at - pod["stat_age_s"], changes_every=1.0))
            if pod["cpu_millicores"] is not None:
                self.usage(name, pod, at)
                samples.append((pod["cpu_millicores"] / 1000, pod["memory_bytes"], pod["usage_age_s"]))
        values = {it["name"]: it["value"] for it in shot["values"]}
        if shot["is_present"] and samples:
            self.any_of("pods.cpu", values["pods.cpu"], {sum(it[0] for it in samples)}, "the sum of the pods")
            self.any_of("pods.memory", values["pods.memory"], {sum(it[1] for it in samples)}, "the sum of the pods")

    def usage(self, name, pod, at):
        """The rig answers with the newest of its samples, one a second, stamped with the second of
        the question: so the same sample may have been recorded under the stamp before or after."""
        second = round(at - pod["usage_age_s"])
        stamps = [datetime.datetime.fromtimestamp(second + off, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                  for off in (-1, 0, 1)]
        recorded = self.record.usage.get(name, {})
        same = recorded.get(stamps[1], set())
        near = set().union(*(recorded.get(stamp, set()) for stamp in stamps))
        few = len([stamp for stamp in stamps if stamp in recorded]) < 3
        for number, (field, unit) in enumerate((("cpu_millicores", "m"), ("memory_bytes", "B"))):
            shown, all_near = pod[field], {it[number] for it in near}
            verdict = "equal" if shown in all_near else "explained" if few else "wrong"
            # The rig reads the memory anew at each question.
            if verdict == "wrong" and number == 1 and min(all_near) * 0.95 <= shown <= max(all_near) * 1.05:
                verdict = "explained"
            words = f"at {stamps[1]} {sorted(it[number] for it in same)} {unit}, about it {sorted(all_near)}"
            self.say(f"{name[-5:]} {field}", shown, verdict, words)

    def panics_by_log(self, at):
        return next((is_panic for is_panic, when in reversed(self.log) if when <= at), False)

    def panics(self, summary):
        """Each panic of the summary is one of the log, and each of the log is in the summary."""
        print("panics")
        self.moment = collections.Counter()
        started = wall(summary["started"])
        ended = started + summary["seconds"]
        shown = []
        for panic in summary["scaling"]["panics"]:
            shown.append((True, started + panic["start_s"]))
            if panic["end_s"] is not None:
                shown.append((False, started + panic["end_s"]))
        written = [(is_panic, when) for is_panic, when in self.log if started <= when <= ended - TICK]
        for is_panic, when in shown:
            off = min((when - it for said, it in self.log if said == is_panic), key=abs, default=math.inf)
            was_on = not is_panic or when - started < TICK
            verdict = "equal" if abs(off) <= TICK else "explained" if was_on and when - started < TICK else "wrong"
            self.tally[verdict] += 1
            print(f"    {verdict:9} {'begins' if is_panic else 'ends':6} {when - started:8.2f} s, {off:+.2f} s from the log line")
        for is_panic, when in written:
            if not any(said == is_panic and abs(it - when) <= TICK for said, it in shown):
                self.tally["wrong"] += 1
                print(f"    wrong     the log has {'PANICKING.' if is_panic else 'Un-panicking.'} at {when - started:.2f} s, the summary has not")


def log_edges(path, revision):
    edges = []
    for line in open(path):
        try:
            line = json.loads(line)
        except json.JSONDecodeError:
            continue
        if line.get("knative.dev/key", "").endswith("/" + revision) and line.get("message") in ("PANICKING.", "Un-panicking."):
            edges.append((line["message"] == "PANICKING.", wall(line["timestamp"])))
    return sorted(edges, key=lambda edge: edge[1])


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("run", help="the run folder")
    args.add_argument("--record", required=True)
    args.add_argument("--log", required=True, help="kubectl logs of the autoscaler")
    args = args.parse_args()
    paths = sorted(glob.glob(args.run + "/snapshots/*.json"))
    if not paths:
        sys.exit("there is no snapshot")
    revision = json.load(open(paths[0]))["revision"].split("/")[1]
    summary = json.load(open(args.run + "/summary.json"))
    began = wall(summary["started"])
    checker = Checker(Record(args.record, revision), log_edges(args.log, revision))
    plan = json.load(open(args.run + "/plan.json")).get("plan")
    checker.stages = plan["load"]["stages"] if plan else [{"lasts": {"secs": 0, "nanos": 0}, "from": 0, "to": 0}]
    # The load begins a moment after the run: when the service's address was found.
    checker.load_began = load_began(paths)
    for path in paths:
        checker.snapshot(path, began)
    checker.panics(summary)
    print("\nmoment                                 state   ready desired  equal explained wrong")
    for head, values, moment in checker.rows:
        shown = {1.0: "PANIC", 0.0: "stable", None: "?"}[values["autoscaler.panic"]["value"]]
        ready, desired = (values[it]["value"] for it in ("pods.ready", "pods.desired"))
        print(f"{head:38} {shown:7} {ready!s:>5} {desired!s:>7} {moment.get('equal', 0):6} {moment.get('explained', 0):9} {moment.get('wrong', 0):5}")
    print(f"values compared: {sum(checker.tally.values())}, {dict(checker.tally)}")
    sys.exit(1 if checker.tally["wrong"] else 0)


def load_began(paths):
    """When the first interval of the load began, as the CSV of the snapshots has it."""
    for path in paths:
        for line in open(path[:-5] + ".csv"):
            cells = line.split(",")
            if cells[0] != "time" and cells[2]:
                return float(cells[1]) - 0.3
    return 0.0


if __name__ == "__main__":
    main()
