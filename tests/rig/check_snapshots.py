#!/usr/bin/env python3
"""Compares what rampscope showed with what a real Knative said.

    check_snapshots.py --record FILE --log FILE [--access FILE] [--ksvc FILE] RUN_FOLDER

Shares no code with rampscope: it reads what the snapshots and the summary say on one side, and on
the other the raw texts of record.py, beside.py and relay.py, and the autoscaler's own log.

What counts as equal, by source:

autoscaler metrics, activator metrics
    read every second by rampscope, more often by the record. The value must be that of the record's
    reading just before or just after the moment at which rampscope read (the snapshot's time less
    the value's age), by the pod that held the lease. Where the record itself had a longer gap, a
    change inside of the gap was never recorded: `explained`. So is a count of ready pods that the
    watch of the pods passed at that moment, if neither reading has it.
queue-proxies
    the same, a pod each.
watch pods, podautoscalers, serverlessservices
    told by the API server to both: the state of the record at one moment within SLACK.
metrics.k8s.io
    joined on the sample's own stamp (whole seconds), a pod each; the sum is of these. `kubectl top`
    is joined on the same stamp.
load
    rates, percentiles, requests in flight and errors by the relay's access log, over the span that
    the snapshot names; the rate asked for by the plan; the totals of the summary to the last request.
the CSV
    each field of each row by the same readings, over the time that the row stands for.
the services view
    each row of the screen's text: ready and desired over all revisions, panic by the log.

Exits 1 if one value is wrong.
"""
import argparse
import collections
import csv
import functools
import glob
import json
import math
import re
import sys

from readings import INTERVAL, SLACK, TICK, Access, Record, lines, log_edges, stamp, usage, wall

FIELDS = {
    "autoscaler.panic_average": "kn_revision_concurrency_panic",
    "autoscaler.stable_average": "kn_revision_concurrency_stable",
    "autoscaler.target": "kn_revision_concurrency_target",
    "autoscaler.ready": "kn_revision_pods_count",
    "autoscaler.wanted": "kn_revision_pods_desired",
    "autoscaler.excess_burst_capacity": "kn_revision_capacity_excess",
    "autoscaler.panic": "kn_revision_panic_mode",
}
COLUMNS = {
    "wanted": "kn_revision_pods_desired",
    "stable_average": "kn_revision_concurrency_stable",
    "panic_average": "kn_revision_concurrency_panic",
    "excess_burst_capacity": "kn_revision_capacity_excess",
}
# How long an answer takes between the relay and rampscope's own reading of its clock, in seconds.
NEAR = 0.010
# How long an answer may have been on its way, in seconds.
LONGEST = 3.0
# An interval of the load, in seconds.
LOAD_INTERVAL = 0.5
SERVICE_ROW = re.compile(r"▸?([a-z]\S*)\s+(\S+)\s+[✓✗…] (\S.*?)\s{2,}[▲✓?] (PANIC|STABLE|UNKNOWN)\s+(\d+|–)\s+(\d+|–)\s*([^│]*)")


class Checker:
    def __init__(self, args, summary):
        self.args, self.summary = args, summary
        self.tally, self.rows, self.moment = collections.Counter(), [], collections.Counter()
        self.by_kind = collections.defaultdict(collections.Counter)
        self.access = Access(args.access) if args.access else None
        self.farthest = collections.defaultdict(float)

    @functools.cache
    def of(self, revision):
        return Record(self.args.record, revision), log_edges(self.args.log, revision)

    def look_at(self, revision):
        self.record, self.log = self.of(revision)

    def say(self, name, shown, verdict, words):
        self.tally[verdict] += 1
        self.moment[verdict] += 1
        self.by_kind[self.kind if hasattr(self, "kind") else "values"][verdict] += 1
        if verdict != "equal":
            print(f"    {verdict:9} {name:34} shown {shown}: {words}")

    def any_of(self, name, shown, possible, words=""):
        is_equal = any(shown == it or (isinstance(shown, float) and isinstance(it, (int, float)) and abs(shown - it) <= 1e-6) for it in possible)
        self.say(name, shown, "equal" if is_equal else "wrong", f"{words} it was {sorted(possible, key=str)}")

    def within(self, name, shown, least, most, words=""):
        self.say(name, shown, "equal" if least <= shown <= most else "wrong", f"{words} it was {least:.4g} to {most:.4g}")

    def snapshot(self, path, began):
        shot = json.load(open(path))
        if not shot["revision"]:
            return
        self.look_at(shot["revision"].split("/")[1])
        at, self.moment = wall(shot["time"]), collections.Counter()
        values = {it["name"]: it for it in shot["values"]}
        frozen = "" if shot["is_present"] else ", of the past"
        head = f"{shot['time'][11:23]} ({shot['seconds']:.1f} s{frozen}) {self.record.revision}"
        print(head)
        self.kind = "values" if shot["is_present"] else "values of the past"
        for value in shot["values"]:
            self.value(value, at, values, shot, began)
        self.kind = "pods"
        self.pods(shot, at)
        self.kind = "csv"
        # A frozen view's window goes on to what is known by now.
        self.csv(path[:-5] + ".csv", at if shot["is_present"] else math.inf)
        self.kind = "services"
        self.services(path[:-5] + ".txt", at)
        self.rows.append((head, values, dict(self.moment)))

    # The values of the panels.

    def value(self, value, at, values, shot, began):
        name, shown, age, source = value["name"], value["value"], value["age_s"], value["source"]
        record, read, is_present = self.record, at - (age or 0), shot["is_present"]
        if source in ("autoscaler metrics", "activator metrics") and shown is not None and is_present:
            # An old value is shown with its age; it may be old only where nothing was to be read.
            is_silent = record.is_silent if source.startswith("auto") else record.are_activators_silent
            if age is None or 2 * INTERVAL + SLACK < age and not is_silent(read + INTERVAL, at - 2 * SLACK):
                return self.say(name, shown, "wrong", f"its age is {age}")
        if name.startswith("load."):
            self.load(value, at, values, shot)
        elif name in FIELDS and source == "autoscaler metrics" and shown is not None:
            verdict, words = record.judge(FIELDS[name], shown, read)
            watched = {record.counts(it)["ready"] for it in record.moments(record.pods, read)}
            # The gauge follows the pods; a count between two readings of the record was never read.
            if verdict == "wrong" and name == "autoscaler.ready" and shown in watched:
                verdict, words = "explained", f"{words}; by the pods {sorted(watched)}"
            self.say(name, shown, verdict, words)
        elif name == "autoscaler.ready" and shown is not None:
            self.any_of(name, shown, {record.counts(it)["ready"] for it in record.moments(record.pods, at)})
        elif name == "autoscaler.panic" and source == "autoscaler log":
            self.any_of(name, shown, {1.0 if self.panics_by_log(it) else 0.0 for it in (at - SLACK, at)})
        elif name == "autoscaler.panic_begins_above" and shown is not None:
            ready, target = values["autoscaler.ready"]["value"], values["autoscaler.target"]["value"]
            if not is_present:
                counts, _ = record.any_reading("kn_revision_pods_count", read - INTERVAL, read + INTERVAL)
                targets, _ = record.any_reading("kn_revision_concurrency_target", read - INTERVAL, read + INTERVAL)
                self.any_of(name, shown, {self.begins_above(values, one, it) for one in counts for it in targets})
            else:
                self.any_of(name, shown, {self.begins_above(values, ready, target)})
        elif name == "autoscaler.held_max" and shown is not None:
            begun = [when for is_panic, when in self.log if is_panic and when <= at]
            wanted, _ = record.any_reading("kn_revision_pods_desired", (begun or [began])[-1], read + INTERVAL)
            sure, _ = record.any_reading("kn_revision_pods_desired", (begun or [began])[-1] + INTERVAL, read - INTERVAL)
            # Between two readings it is one or the other.
            self.within(name, shown, max(sure & wanted, default=0), max(wanted, default=0))
        elif name == "autoscaler.state_lasts" and shown is not None:
            edges = [when for is_panic, when in self.log if is_panic == (values["autoscaler.panic"]["value"] == 1.0)]
            off = min((abs(at - shown - when) for when in edges), default=math.inf)
            self.say(name, shown, "equal" if off <= TICK else "wrong", f"{off:.2f} s off the log")
        elif name == "autoscaler.panic_leaves_in" and shown is not None:
            window = 60.0
            pa = record.newest(record.pa, at)
            if pa:
                window = float(pa["metadata"]["annotations"].get("autoscaling.knative.dev/window", "60s").rstrip("s"))
            ends = [when for is_panic, when in self.log if not is_panic and at < when]
            # It can end this soon, not sooner; one tick and one interval for having seen it.
            is_true = shown <= window and (not ends or at + shown <= ends[0] + TICK + INTERVAL)
            self.say(name, shown, "equal" if is_true else "wrong", f"it ended {ends[0] - at if ends else math.nan:.1f} s later")
        elif name in ("pods.ready", "pods.starting", "pods.terminating"):
            state = name.split(".")[1]
            self.any_of(name, shown, {record.counts(it)[state] for it in record.moments(record.pods, at)})
        elif name == "pods.desired":
            self.any_of(name, shown, record.desired(at))
        elif name == "pods.max_scale":
            pa = record.newest(record.pa, at)
            said = pa["metadata"]["annotations"].get("autoscaling.knative.dev/max-scale")
            self.any_of(name, shown, {float(said) if said else None})
        elif name == "autoscaler.via_activator":
            self.any_of(name, shown, record.via_activator(at))
        elif name == "activator.concurrency" and shown is not None:
            self.say(name, shown, *record.activator(shown, read))
        elif name.startswith("pods.cold_start"):
            self.cold_start(name, shown, at, began)

    def begins_above(self, values, ready, target):
        return (math.ceil(values["autoscaler.panic_threshold"]["value"] * max(1, ready)) - 1) * target

    # The load.

    def load(self, value, at, values, shot):
        name, shown, span = value["name"], value["value"], value.get("span_s")
        if name == "load.target":
            return self.target(name, shown, shot["seconds"])
        if shown is None or self.access is None:
            return
        access, ends = self.access, at - (value["age_s"] or 0)
        times = {"load.offered": access.came, "load.sent": access.came, "load.done": access.ended}.get(name)
        quantile = {"load.p50": 0.5, "load.p99": 0.99, "load.max": 1.0}.get(name)
        lag = values["load.send_lag_p99"]["value"] or 0
        if name == "load.in_flight":
            if shot["is_present"]:
                self.within(name, shown, *self.in_flight(ends, ends))
            else:
                # That of the end of the interval before.
                self.within(name, shown, *self.in_flight(ends - LOAD_INTERVAL, at))
        elif name == "load.errors":
            failed = access.count(access.failed, ends - (span or 1) - NEAR, ends + NEAR)
            dropped, done = values["load.dropped"]["value"] or 0.0, values["load.done"]["value"] or 0.0
            # What never left is counted by rampscope alone; of that only the quotient can be held.
            is_equal = abs(shown * (dropped + done) - dropped) <= 1e-6 if failed == 0 else 0 < shown
            self.say(name, shown, "equal" if is_equal else "wrong", f"{failed} failed, {dropped:g}/s dropped, {done:g}/s answered")
        elif name == "load.errors_total":
            failed, dropped = access.count(access.failed, 0, ends + NEAR), self.summary["traffic"]["dropped"]
            # What never left is counted by rampscope alone.
            verdict = "equal" if (failed == 0) == (shown == 0) else "explained" if dropped else "wrong"
            self.say(name, shown, verdict, f"{failed} failed, and {dropped} were dropped in all")
        elif self.connections <= (values["load.in_flight"]["value"] or 0):
            self.say(name, shown, "explained", "requests wait for a connection: due, and not seen by the relay")
        elif times is not None and shot["is_present"]:
            self.within(name, shown, *access.rate(times, ends - span, ends))
            exact = access.count(times, ends - span, ends) / span
            self.farthest[name] = max(self.farthest[name], abs(exact - shown) / max(exact, 10))
        elif times is not None:
            # Of the past the age is that of the interval's beginning.
            self.within(name, shown, *access.any_rate(times, LOAD_INTERVAL, ends, ends))
        elif quantile is not None and shot["is_present"]:
            known = access.quantile(quantile, ends - span, ends)
            if known is None:
                return self.say(name, shown, "wrong", "there was no answer")
            # Response time begins when a request is due, the relay's when it has come.
            self.within(name, shown, known[0] * 0.998 - NEAR / 5, known[1] * 1.002 + NEAR + lag)
            exact = access.quantile(quantile, ends - span, ends)[0]
            self.farthest[name] = max(self.farthest[name], abs(exact - shown))
        elif quantile is not None:
            self.quantile(name, shown, quantile, (ends, ends), lag)

    def in_flight(self, since, until):
        counts = [self.access.in_flight(since + it * (until - since) / 20) for it in range(21)]
        most = max(it[1] for it in counts)
        # Beyond them requests wait for a connection, due and unseen by the relay.
        return min(it[0] for it in counts), most if most < self.connections else math.inf

    def quantile(self, name, shown, q, began, lag):
        """Of an interval that began in this time."""
        since, until = began
        known = [self.access.quantile(q, it, it + LOAD_INTERVAL) for it in (since + it * (until - since) / 20 for it in range(21))]
        known = [it for it in known if it]
        if not known:
            return self.say(name, shown, "wrong", "there was no answer")
        self.within(name, shown, min(it[0] for it in known) * 0.998 - NEAR / 5, max(it[1] for it in known) * 1.002 + NEAR + lag)

    def target(self, name, shown, seconds, since=-0.05, until=1.3):
        """The rate of the plan, at the end of the newest interval (a tenth of a second long)."""
        possible = [self.planned(seconds - self.load_began - since - it * (until - since) / 50) for it in range(51)]
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
        # Two pods may be ready within the slack, and the screen stand between them.
        for until in self.record.moments(self.record.pods, at):
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

    # The table of pods.

    def pods(self, shot, at):
        record, shown = self.record, {pod["name"]: pod for pod in shot["pods"]}
        possible = [{pod["metadata"]["name"]: pod for pod in record.pods_at(it) if record.state(pod) != "finished"}
                    for it in record.moments(record.pods, at)]
        names = [set(it) for it in possible]
        self.say("the pods shown", len(shown), "equal" if set(shown) in names else "wrong", f"{[len(it) for it in names]}")
        samples = []
        for name, pod in shown.items():
            short = name[-5:]
            there = [it[name] for it in possible if name in it]
            self.any_of(f"{short} state", pod["state"], {record.state(it) for it in there})
            if there:
                created = wall(there[0]["metadata"]["creationTimestamp"])
                off = abs(at - created - pod["age_s"])
                self.say(f"{short} age", pod["age_s"], "equal" if off < 0.01 else "wrong", f"{at - created:.1f}")
            for field, readings in zip(("concurrency", "rps"), record.stats[name]):
                if pod[field] is not None:
                    self.say(f"{short} {field}", pod[field], *readings.judge(pod[field], at - pod["stat_age_s"], changes_every=1.0))
            if pod["cpu_millicores"] is not None:
                self.usage(name, pod, at)
                samples.append((pod["cpu_millicores"] / 1000, pod["memory_bytes"]))
        values = {it["name"]: it["value"] for it in shot["values"]}
        if shot["is_present"] and samples:
            self.any_of("pods.cpu", values["pods.cpu"], {sum(it[0] for it in samples)}, "the sum of the pods:")
            self.any_of("pods.memory", values["pods.memory"], {sum(it[1] for it in samples)}, "the sum of the pods:")

    def usage(self, name, pod, at):
        """The rig reckons CPU anew at the first question a second or more after the last, and stamps
        each answer with the second of the question: so one sample stands under several stamps, and
        one stamp over two samples. The record asks three times a second and so has each."""
        second = round(at - pod["usage_age_s"])
        recorded = self.record.usage.get(name, {})
        stamps = [stamp(second + off) for off in (-1, 0, 1)]
        same = recorded.get(stamps[1], set())
        near = set().union(*(recorded.get(it, set()) for it in stamps))
        few = len([it for it in stamps if it in recorded]) < 3
        for number, (field, unit) in enumerate((("cpu_millicores", "m"), ("memory_bytes", "B"))):
            shown, all_near = pod[field], {it[number] for it in near}
            verdict = "equal" if shown in all_near else "explained" if few else "wrong"
            # The rig reads the memory anew at each question.
            if verdict == "wrong" and number == 1 and min(all_near) * 0.95 <= shown <= max(all_near) * 1.05:
                verdict = "explained"
            words = f"at {stamps[1]} {sorted(it[number] for it in same)} {unit}, about it {sorted(all_near)}"
            self.say(f"{name[-5:]} {field}", shown, verdict, words)
        for top in self.record.tops:
            for before, after in ((one, two) for one in top["before"] for two in top["after"] if one["metadata"]["name"] == two["metadata"]["name"] == name):
                # Only a sample that did not change while kubectl asked, and that is ours by its stamp.
                if abs(wall(before["timestamp"]) - second) <= 1 and usage(before)[0] == usage(after)[0] == pod["cpu_millicores"]:
                    said = [line.split() for line in top["said"].splitlines() if line.startswith(name + " ")]
                    if said:
                        self.any_of(f"{name[-5:]} kubectl top", f"{pod['cpu_millicores']}m", {said[0][1]})

    def top(self):
        """`kubectl top` and the raw samples around it: what the values above are joined with."""
        self.kind, self.moment = "kubectl top", collections.Counter()
        print("kubectl top")
        self.look_at(self.revisions[0])
        for top in self.record.tops:
            said = {cells[0]: cells for cells in (line.split() for line in top["said"].splitlines()) if len(cells) == 3}
            after = {item["metadata"]["name"]: item for item in top["after"]}
            for item in top["before"]:
                name = item["metadata"]["name"]
                if name not in said or name not in after:
                    continue
                # A pod's two containers are reckoned a second apart each, so twice in a second.
                polled = [it[name][0] for when, it in self.record.polls if top["wall"] <= when <= top["until"] and name in it]
                cpu = {usage(it)[0] for it in (item, after[name])} | set(polled)
                verdict = "equal" if said[name][1] in {f"{it}m" for it in cpu} else "explained"
                words = f"the sample before it {item['timestamp']} and after it {after[name]['timestamp']}: {sorted(cpu)}"
                # In between the rig may have reckoned anew: all of it, if a second has passed, else
                # the one container before the other.
                is_between = min(cpu) <= int(said[name][1].rstrip("m")) <= max(cpu)
                if verdict == "explained" and top["until"] - top["wall"] < 1.0 and not is_between:
                    verdict = "wrong"
                self.say(f"{name[-5:]} cpu", said[name][1], verdict, words)

    # The window as CSV.

    def csv(self, path, at):
        rows, lags = list(csv.DictReader(open(path))), []
        width = float(rows[1]["seconds"]) - float(rows[0]["seconds"]) if 1 < len(rows) else 0.0
        record = self.record
        listed = record.pods[0][0] if record.pods else math.inf
        for row in rows:
            since = wall(row["time"])
            until = max(since, min(since + width, at))
            # An answer counts from when its request was due, which may have left long ago.
            lags.append((since, float(row.get("send_lag_p99_s") or 0)))
            self.lag = max(lag for when, lag in lags if since - LONGEST <= when)
            if since < record.start + INTERVAL or since < listed + INTERVAL:
                continue
            for name, text in row.items():
                if text and name not in ("time", "seconds"):
                    self.field(row, name, float(text), (since, until, width))

    def field(self, row, name, shown, time):
        since, until, width = time
        record, access, label = self.record, self.access, f"{row['seconds']} s {name}"
        if name in ("ready", "starting", "terminating"):
            self.any_of(label, shown, {record.counts(it)[name] for it in record.moments(record.pods, since, until)})
        elif name == "desired":
            self.any_of(label, shown, record.desired(since, until))
        elif name == "via_activator":
            self.any_of(label, shown, record.via_activator(since, until))
        elif name in COLUMNS:
            possible, has_gap = record.any_reading(COLUMNS[name], since - 2 * INTERVAL, until)
            is_equal = any(abs(it - shown) <= 1e-6 for it in possible)
            old = set() if is_equal else record.any_reading(COLUMNS[name], since - 6, until)[0]
            if any(abs(it - shown) <= 1e-6 for it in old) and record.is_silent(since - INTERVAL, until):
                is_equal = True
            self.say(label, shown, "equal" if is_equal else "explained" if has_gap else "wrong", f"it was {sorted(possible)}")
        elif name == "panic_begins_above":
            counts, _ = record.any_reading("kn_revision_pods_count", since - 2 * INTERVAL, until)
            targets, _ = record.any_reading("kn_revision_concurrency_target", since - 2 * INTERVAL, until)
            lines = lambda ready: {(math.ceil(self.threshold * max(1, one)) - 1) * it for one in ready for it in targets}
            watched = {record.counts(it)["ready"] for it in record.moments(record.pods, since - INTERVAL, until)}
            # The gauge follows the pods; a count between two readings of the record was never read.
            is_equal, is_between = shown in lines(counts), shown in lines(watched)
            words = f"it was {sorted(lines(counts))}, by the pods {sorted(lines(watched))}"
            self.say(label, shown, "equal" if is_equal else "explained" if is_between else "wrong", words)
        elif name == "activator_concurrency":
            verdicts = [record.activator(shown, since + it * (until - since) / 4 - ago) for it in range(5) for ago in (0, 0.5, 1.0)]
            self.say(label, shown, *min(verdicts))
        elif name == "panic":
            self.any_of(label, shown, {1.0 if self.panics_by_log(since + it * (until - since) / 8 - ago) else 0.0
                                       for it in range(9) for ago in (0, INTERVAL, TICK)})
        elif name == "cpu_cores":
            sums = set()
            for when, poll in record.polls:
                if until + SLACK < when:
                    break
                of_all = sum(it[0] for pod, it in poll.items() if pod.startswith(record.revision + "-")) / 1000
                # The one before too: ours may have been asked between the two.
                sums = sums | {of_all} if since - 7 <= when else {of_all}
            # Pods that went since it was asked are no longer in the sum.
            is_equal = any(abs(it - shown) <= 1e-6 for it in sums)
            is_between = bool(sums) and min(sums) - 1e-6 <= shown <= max(sums) + 1e-6
            self.say(label, shown, "equal" if is_equal else "explained" if is_between else "wrong", f"it was {sorted(sums)}")
        elif name == "target_per_s":
            # That of the interval that had begun last.
            seconds = float(row["seconds"]) + (until - since)
            self.target(label, shown, seconds, since=-LOAD_INTERVAL, until=2 * LOAD_INTERVAL + width)
        elif access is not None and name in ("offered_per_s", "sent_per_s", "done_per_s"):
            times = access.ended if name == "done_per_s" else access.came
            self.within(label, shown, *access.any_rate(times, LOAD_INTERVAL, until - width - LOAD_INTERVAL, until))
        elif access is not None and name in ("failed_per_s", "dropped_per_s"):
            self.any_of(label, shown, {0.0} if not access.failed else {shown})
        elif access is not None and name == "in_flight":
            self.within(label, shown, *self.in_flight(until - width - LOAD_INTERVAL, until))
        elif access is not None and name in ("p50_s", "p99_s", "max_s"):
            q = {"p50_s": 0.5, "p99_s": 0.99, "max_s": 1.0}[name]
            self.quantile(label, shown, q, (until - width - LOAD_INTERVAL, until), self.lag)

    # The services view.

    def services(self, path, at):
        for line in open(path):
            match = SERVICE_ROW.search(line)
            if not match or match[1] not in self.by_service:
                continue
            records = [self.of(it) for it in self.by_service[match[1]]]
            moments = sorted({it for record, _ in records for it in record.moments(record.pods, at) + record.moments(record.pa, at)})
            number = lambda text: None if text == "–" else int(text)
            self.any_of(f"{match[1]} ready", number(match[5]), {sum(record.counts(it)["ready"] for record, _ in records) for it in moments})
            wishes = [{sum(one) for one in [[(record.newest(record.pa, it) or {"status": {}})["status"].get("desiredScale") or 0 for record, _ in records]]} for it in moments]
            self.any_of(f"{match[1]} desired", number(match[6]), set().union(*wishes))
            panics = {"PANIC" if any(self.panics_by_log(at - ago, log) for _, log in records) else "STABLE" for ago in (0, SLACK, INTERVAL, TICK)}
            self.any_of(f"{match[1]} state", match[4], panics)
            if self.args.ksvc:
                split = {it["revisionName"]: it.get("percent") for item in json.load(open(self.args.ksvc))["items"]
                         if item["metadata"]["name"] == match[1] for it in item["status"].get("traffic", [])}
                words = {f"{name.removeprefix(match[1] + '-')} {percent} %" for name, percent in split.items() if percent}
                shown = set(re.findall(r"\S+ \d+ %", match[7]))
                self.say(f"{match[1]} traffic", sorted(shown), "equal" if shown == words else "wrong", f"{sorted(words)}")

    def panics_by_log(self, at, log=None):
        return next((is_panic for is_panic, when in reversed(self.log if log is None else log) if when <= at), False)

    # The summary.

    def panics(self):
        """Each panic of the summary is one of the log, and each of the log is in the summary."""
        print("panics")
        self.kind, self.moment, summary = "panics", collections.Counter(), self.summary
        self.look_at(self.revisions[0])
        started = wall(summary["started"])
        ended = started + summary["seconds"]
        shown = []
        for panic in summary["scaling"]["panics"]:
            shown.append((True, started + panic["start_s"]))
            if panic["end_s"] is not None:
                shown.append((False, started + panic["end_s"]))
        logs = sorted({edge for revision in self.revisions for edge in self.of(revision)[1]}, key=lambda it: it[1])
        for is_panic, when in shown:
            off = min((when - it for said, it in logs if said == is_panic), key=abs, default=math.inf)
            was_on = not is_panic or when - started < TICK
            verdict = "equal" if abs(off) <= TICK else "explained" if was_on and when - started < TICK else "wrong"
            print(f"    {'begins' if is_panic else 'ends':6} {when - started:8.2f} s, {off:+.2f} s from the log line")
            self.say("panic", f"{when - started:.2f}", verdict, f"{off:+.2f} s from the log line")
        for is_panic, when in ((is_panic, when) for is_panic, when in logs if started <= when <= ended - TICK):
            if not any(said == is_panic and abs(it - when) <= TICK for said, it in shown):
                self.say("panic", None, "wrong", f"the log has {'PANICKING.' if is_panic else 'Un-panicking.'} at {when - started:.2f} s, the summary has not")

    def totals(self):
        """What the relay counted is what the summary counts, to the last request."""
        if self.access is None:
            return
        print("totals")
        self.kind, self.moment = "totals", collections.Counter()
        traffic, rows = self.summary["traffic"], self.access.rows
        if traffic["sent"] is None:
            return
        status = collections.Counter(str(it[2]) for it in rows if it[2])
        self.any_of("sent", traffic["sent"], {len(rows)})
        self.any_of("succeeded", traffic["succeeded"], {len(self.access.answered)})
        self.say("status", traffic["status"], "equal" if traffic["status"] == dict(status) else "wrong", f"{dict(status)}")
        took = self.access.took(0, math.inf)
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)):
            exact = took[max(0, math.ceil(q * len(took)) - 1)] * 1000
            shown, late = traffic["service_time"][name], 1000 * self.access.lateness(0, math.inf)
            is_near, is_late = (exact * 0.998 - 2 <= shown <= exact * 1.002 + it for it in (NEAR * 1000, NEAR * 1000 + late))
            words = f"{exact:.1f} by the relay, which was itself up to {late / 2:.0f} ms late"
            self.say(f"service time {name}", shown, "equal" if is_near else "explained" if is_late else "wrong", words)
            self.farthest[f"service_time.{name} ms"] = abs(traffic["service_time"][name] - exact)


def load_began(paths):
    """When the first interval of the load began, as the CSV of the snapshots has it."""
    for path in paths:
        for row in csv.DictReader(open(path[:-5] + ".csv")):
            if row.get("target_per_s"):
                return float(row["seconds"]) - 0.3
    return 0.0


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("run", help="the run folder")
    args.add_argument("--record", required=True)
    args.add_argument("--log", required=True, help="kubectl logs of the autoscaler")
    args.add_argument("--access", help="the relay's file")
    args.add_argument("--ksvc", help="kubectl get ksvc -o json")
    args = args.parse_args()
    paths = sorted(glob.glob(args.run + "/snapshots/*.json"))
    if not paths:
        sys.exit("there is no snapshot")
    shots = [json.load(open(path)) for path in paths]
    summary = json.load(open(args.run + "/summary.json"))
    checker = Checker(args, summary)
    checker.by_service = collections.defaultdict(list)
    for entry in lines(args.record):
        if entry["kind"] == "watch" and entry["name"] == "podautoscalers" and entry["body"]["type"] == "ADDED":
            meta = entry["body"]["object"]["metadata"]
            service = meta.get("labels", {}).get("serving.knative.dev/service")
            if service and meta["name"] not in checker.by_service[service]:
                checker.by_service[service].append(meta["name"])
    checker.revisions = sorted({shot["revision"].split("/")[1] for shot in shots if shot["revision"]})
    for revision in checker.revisions:
        record = checker.of(revision)[0]
        if not (record.pods and record.pa and record.sks):
            # Nothing can be held against that; a rig whose tokens have run out no longer tells.
            sys.exit(f"the record itself was told nothing of {revision}: is the rig older than an hour?")
    thresholds = [it["value"] for shot in shots for it in shot["values"] if it["name"] == "autoscaler.panic_threshold" and it["value"]]
    checker.threshold = thresholds[0] if thresholds else 2.0
    plan = json.load(open(args.run + "/plan.json")).get("plan")
    checker.connections = (plan or {}).get("target", {}).get("connections") or math.inf
    checker.stages = plan["load"]["stages"] if plan else [{"lasts": {"secs": 0, "nanos": 0}, "from": 0, "to": 0}]
    # The load begins a moment after the run: when the service's address was found.
    checker.load_began = load_began(paths)
    for path in paths:
        checker.snapshot(path, wall(summary["started"]))
    checker.panics()
    checker.totals()
    checker.top()
    print("\nmoment                                          state   ready desired  equal explained wrong")
    for head, values, moment in checker.rows:
        shown = {1.0: "PANIC", 0.0: "stable", None: "?"}[values["autoscaler.panic"]["value"]]
        ready, desired = (values[it]["value"] for it in ("pods.ready", "pods.desired"))
        print(f"{head:47} {shown:7} {ready!s:>5} {desired!s:>7} {moment.get('equal', 0):6} {moment.get('explained', 0):9} {moment.get('wrong', 0):5}")
    for kind, tally in checker.by_kind.items():
        print(f"{kind:20} {dict(tally)}")
    if checker.farthest:
        print("farthest from the access log: " + ", ".join(f"{name} {off:.3g}" for name, off in checker.farthest.items()))
    print(f"values compared: {sum(checker.tally.values())}, {dict(checker.tally)}")
    sys.exit(1 if checker.tally["wrong"] else 0)


if __name__ == "__main__":
    main()
