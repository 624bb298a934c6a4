"""What a real cluster said while rampscope watched it: the files of record.py, beside.py and
relay.py, and the autoscaler's own log. Shares no code with rampscope."""
import base64
import bisect
import collections
import datetime
import json
import math
import os
import re
import struct

INTERVAL = 1.0  # seconds: how often rampscope reads metrics
SLACK = 0.5  # seconds: two watchers are told at different moments, an answer takes its time
TICK = 2.0  # seconds: how often the autoscaler decides
EDGE = 0.06  # seconds: the relay and rampscope see the same request at slightly different moments
SAMPLE = re.compile(r'^([a-z_]+)\{(.*)\} (\S+)$')
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


def wall(stamp):
    """Seconds since 1970 of an RFC 3339 stamp, of any number of digits."""
    match = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(\.\d+)?Z", stamp)
    whole = datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.timezone.utc)
    return whole.timestamp() + float(match[2] or 0)


def stamp(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def lines(path):
    """The JSON objects of a file, a line each; the last may be torn."""
    if not os.path.exists(path):
        return
    for line in open(path):
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def exposition(text, revision):
    """Name to value of the samples of one revision."""
    values = {}
    for line in text.split("\n"):
        match = SAMPLE.match(line)
        if match:
            labels = dict(LABEL.findall(match[2]))
            if labels.get("kn_revision_name", labels.get("revision_name")) == revision:
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
    """Millicores, the sum rounded up as kubectl does, and bytes."""
    cpu = {"n": 1e-6, "u": 1e-3, "m": 1.0}
    memory = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
    millis = sum(quantity(it["usage"]["cpu"], cpu) * (1 if it["usage"]["cpu"][-1] in "num" else 1000)
                 for it in item["containers"])
    return math.ceil(millis - 1e-6), sum(quantity(it["usage"]["memory"], memory) for it in item["containers"])


class Readings:
    """Values over time, read now and then."""

    def __init__(self):
        self.all, self.asked = [], {}

    def add(self, at, value, asked=None):
        """What came at this moment; it was asked for a little before."""
        self.all.append((at, value))
        self.asked[at] = at if asked is None else asked

    def between(self, since, until):
        """Those in this time, with the one before and the one after: what came after this time may
        be of it, if it was asked for by then."""
        first = bisect.bisect_left(self.all, since, key=lambda it: it[0])
        last = bisect.bisect_right(self.all, until, key=lambda it: it[0])
        while last < len(self.all) and self.asked[self.all[last][0]] <= until:
            last += 1
        return self.all[max(0, first - 1): last + 1]

    def judge(self, shown, at, close=1e-6, changes_every=TICK):
        near = self.between(at, at)
        if not near:
            return "wrong", "nothing was recorded"
        words = ", ".join(f"{value:g} at {when - at:+.2f} s" for when, value in near)
        if any(abs(value - shown) <= close and abs(when - at) <= INTERVAL + SLACK for when, value in near):
            return "equal", words
        gap = near[-1][0] - near[0][0]
        if at < near[0][0]:
            return "explained", f"the record knew it only later: {words}"
        # A value that came and went between two readings was never recorded.
        if len(near) == 2 and min(changes_every, INTERVAL + SLACK) <= gap:
            return "explained", f"the record has a gap of {gap:.1f} s: {words}"
        return "wrong", words


class Access:
    """The relay's log."""

    def __init__(self, path):
        self.rows, self.late = [], []
        for cells in (line.split() for line in open(path)):
            if len(cells) == 3 and cells[0] == "~":
                self.late.append((float(cells[1]), float(cells[2])))
            elif len(cells) == 3:
                self.rows.append((float(cells[0]), float(cells[1]), int(cells[2])))
        self.came = sorted(it[0] for it in self.rows)
        self.answered = sorted((it for it in self.rows if 200 <= it[2] < 300), key=lambda it: it[1])
        self.ended = [it[1] for it in self.answered]
        self.failed = sorted(it[1] for it in self.rows if not 200 <= it[2] < 300)

    def lateness(self, since, until):
        """How late processes were woken in this time, at worst; the relay and rampscope are two."""
        first = bisect.bisect_left(self.late, since - 0.3, key=lambda it: it[0])
        last = bisect.bisect_right(self.late, until + 0.1, key=lambda it: it[0])
        return 2 * max((it[1] for it in self.late[first:last]), default=0.0)

    def edge(self, since, until):
        return EDGE + self.lateness(since, until)

    @staticmethod
    def count(times, since, until):
        return bisect.bisect_left(times, until) - bisect.bisect_left(times, since)

    def rate(self, times, since, until):
        """The fewest and the most that could be counted, a second, near both ends."""
        span, edge = until - since, self.edge(since, until)
        least = self.count(times, since + edge, until - edge) if 2 * edge < span else 0
        # A span is told to a millisecond or so.
        return least / span * 0.998, self.count(times, since - edge, until + edge) / span * 1.002

    def any_rate(self, times, span, since, until):
        """The same of any such span that begins in this time; it may have closed too late."""
        rates = []
        step = max((until - since) / 20, 0.005)
        begins = [since + it * step for it in range(int((until - since) / step) + 1)] or [since]
        for begin in begins:
            # One that closed too late makes the next one shorter.
            for lasted in (span - 0.02, span, span + self.lateness(begin, begin + span)):
                rates.append(self.rate(times, begin, begin + lasted))
        return min(it[0] for it in rates), max(it[1] for it in rates)

    def took(self, since, until):
        """How long the answers of this time took, sorted."""
        first, last = bisect.bisect_left(self.ended, since), bisect.bisect_left(self.ended, until)
        return sorted(it[1] - it[0] for it in self.answered[first:last])

    def quantile(self, q, since, until):
        """The least and the most that it can be near both ends; None without answers."""
        values, edge = [], self.edge(since, until)
        for before in (-edge, 0, edge):
            for after in (-edge, 0, edge):
                took = self.took(since + before, until + after)
                if took:
                    values.append(took[max(0, math.ceil(q * len(took)) - 1)])
        return (min(values), max(values) + self.lateness(since, until)) if values else None

    def in_flight(self, at):
        """Those that surely were, and those that may have been."""
        edge = self.edge(at, at)
        sure = sum(1 for came, ended, _ in self.rows if came <= at - edge and at + edge < ended)
        return sure, sum(1 for came, ended, _ in self.rows if came <= at + edge and at - edge < ended)


class Record:
    def __init__(self, path, revision):
        self.revision, self.start = revision, float(open(path + ".start").read())
        # By pod, then by name.
        self.autoscalers = collections.defaultdict(lambda: collections.defaultdict(Readings))
        self.activators = collections.defaultdict(Readings)
        self.stats = collections.defaultdict(lambda: (Readings(), Readings()))
        self.pods, self.pa, self.sks, self.services = [], [], [], []
        self.usage = collections.defaultdict(dict)
        self.polls, self.tops, self.owners = [], [], Readings()
        for name in ("autoscaler", "activator"):
            for entry in lines(f"{path}.{name}"):
                self.scaler(name, entry)
        for entry in lines(path + ".stat"):
            self.stat(entry)
        for entry in lines(path + ".owner"):
            self.owners.add(entry["wall"], (entry["holder"] or "").rsplit("_", 1)[0])
        for entry in lines(path):
            self.take(entry)
        for item in lines(path + ".usage"):
            name = item["metadata"]["name"]
            self.usage[name].setdefault(item["timestamp"], set()).add(usage(item))
            if not self.polls or self.polls[-1][0] != item["wall"]:
                self.polls.append((item["wall"], {}))
            self.polls[-1][1][name] = usage(item)
        self.tops = list(lines(path + ".top"))
        for name in self.stats:
            for readings in self.stats[name]:
                readings.all.sort()
        for readings in list(self.activators.values()) + [it for pod in self.autoscalers.values() for it in pod.values()]:
            readings.all.sort()

    def scaler(self, part, entry):
        pod, at, asked = entry["pod"], entry["at"], entry["asked"]
        values = exposition(entry["body"], self.revision)
        if part == "activator":
            if "kn_revision_request_concurrency" in values:
                self.activators[pod].add(at, values["kn_revision_request_concurrency"], asked)
            return
        for field, value in values.items():
            self.autoscalers[pod][field].add(at, value, asked)

    def stat(self, entry):
        fields = stat(base64.b64decode(entry["body"]))
        for readings, number in zip(self.stats[entry["pod"]], (2, 4)):
            readings.add(entry["at"], fields.get(number, 0.0), entry["asked"])

    def take(self, entry):
        at, kind, name, body = self.start + entry["t"], entry["kind"], entry["name"], entry["body"]
        # What record.py reads of metrics, beside.py reads too, more often, and says when it asked.
        if kind == "watch" and body["type"] not in ("BOOKMARK", "ERROR"):
            thing, is_gone = body["object"], body["type"] == "DELETED"
            if name == "pods" and thing["metadata"].get("labels", {}).get("serving.knative.dev/revision") == self.revision:
                # Two of one millisecond came one after the other.
                at = max(at, self.pods[-1][0] + 1e-6) if self.pods else at
                self.pods.append((at, thing["metadata"]["uid"], None if is_gone else thing))
            elif name in ("podautoscalers", "serverlessservices") and thing["metadata"]["name"] == self.revision:
                (self.pa if name == "podautoscalers" else self.sks).append((at, None if is_gone else thing))

    def owners_at(self, since, until):
        """The autoscaler pods that may have owned the revision in this time."""
        held = {pod for _, pod in self.owners.between(since, until)}
        return [pod for pod in self.autoscalers if pod in held or not held]

    def judge(self, field, shown, at):
        """Held against the readings of who owned the revision."""
        verdicts = [self.autoscalers[pod][field].judge(shown, at) for pod in self.owners_at(at - SLACK, at + SLACK)
                    if field in self.autoscalers[pod]]
        return min(verdicts, default=("wrong", "nobody was recorded"))

    def any_reading(self, field, since, until):
        """Every value that may have been read in this time, and whether one may have been missed."""
        values, has_gap = set(), False
        for pod in self.owners_at(since, until):
            near = self.autoscalers[pod][field].between(since, until) if field in self.autoscalers[pod] else []
            values |= {value for _, value in near}
            has_gap |= any(INTERVAL + SLACK < b[0] - a[0] for a, b in zip(near, near[1:]))
        return values, has_gap

    def is_silent(self, since, until):
        """Whether no owner was heard in this time."""
        return not any(since < when < until for pod in self.owners_at(since, until)
                       for readings in self.autoscalers[pod].values() for when, _ in readings.all)

    def are_activators_silent(self, since, until):
        """Whether no activator told of the revision in this time."""
        return not any(since < when < until for readings in self.activators.values() for when, _ in readings.all)

    def activator(self, shown, at):
        """The sum over all activators: each as read just before or just after."""
        if not self.activators:
            return "wrong", "nobody was recorded"
        sums, gap = {0.0}, 0
        for readings in self.activators.values():
            near = readings.between(at - INTERVAL, at)
            sums = {one + value for one in sums for _, value in near} or sums
            gap = max([gap] + [b[0] - a[0] for a, b in zip(near, near[1:])])
        if any(abs(one - shown) <= 1e-6 for one in sums):
            return "equal", ""
        return ("explained" if INTERVAL <= gap else "wrong"), f"recorded {sorted(sums)}, gap {gap:.1f} s"

    def moments(self, changes, at, until=None):
        """The moments at which what is watched may have been seen from `at` to `until`."""
        until = at if until is None else until
        return [at - SLACK] + [when for when, *_ in changes if at - SLACK < when <= until + SLACK]

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

    def desired(self, at, until=None):
        things = [self.newest(self.pa, it) for it in self.moments(self.pa, at, until)]
        return {it["status"].get("desiredScale") for it in things if it}

    def via_activator(self, at, until=None):
        possible = set()
        for moment in self.moments(self.sks, at, until):
            sks = self.newest(self.sks, moment)
            status = {it["type"]: it["status"] for it in (sks or {}).get("status", {}).get("conditions", [])}
            possible.add({"True": 1.0, "False": 0.0}.get(status.get("ActivatorEndpointsPopulated")))
        return possible

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


def log_edges(path, revision):
    """The lines about panic: whether it begins, and when."""
    edges = []
    for line in lines(path):
        if line.get("knative.dev/key", "").endswith("/" + revision) and line.get("message") in ("PANICKING.", "Un-panicking."):
            edges.append((line["message"] == "PANICKING.", wall(line["timestamp"])))
    return sorted(edges, key=lambda edge: edge[1])
