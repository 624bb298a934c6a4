#!/usr/bin/env python3
"""Makes happen, on the rig, what parts our model, the autoscaler's word and what is ready; says
from the records whether it was named.

    causes.py --rig PATH/rig --binary target/release/rampscope --out DIR [--rounds N] [--only NAME]
    causes.py --binary target/release/rampscope --out DIR --judge

A round is six batches; the runs of a batch go side by side, each with a service of its own: users
for a window and more, then it happens, then (where the autoscaler itself is not the matter) more
users. Good is a run that names what was injected more often than all else together and blames no
other; our own input may be short for a twentieth of the ticks. `benches/causes.rs` does the same on
the embedded cluster.

What the rig's kubelet cannot do is done for it: a node without a kubelet, whose pods are given the
status that a kubelet writes when an image cannot be pulled. Scrapes are missed by a route to the
pods that leads nowhere, in the autoscaler's network namespace.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import threading
import time

QUIET_S, AFTER_S = 26, 36
# What a tick says of a cause, by how it begins; what the autoscaler does by itself blames nobody.
WORDS = {
    "missed": "the autoscaler missed scrapes",
    "restarted": "the autoscaler was restarted",
    "leader": "another autoscaler leads",
    "quota": "a quota allows",
    "unschedulable": "no node has room",
    "image": "the image cannot",
    "max-scale": "max-scale allows",
    "changed": "a setting was changed",
    "incomplete": "our own input is incomplete",
    "incomplete ": "we have not looked",
}
BATCHES = [
    ["nothing", "max-scale", "quota"],
    ["missed", "unschedulable", "incomplete"],
    ["image", "image"],
    ["restarted", "restarted"],
    ["leader", "leader"],
    ["changed", "changed"],
]
# The load stays as it is: the autoscaler alone is another.
SAME_LOAD = ("missed", "restarted", "leader", "changed")
# The rig's node has 1000 cores: nine pods of these fill it.
WIDE_CPU = "110"
LAME = """
apiVersion: v1
kind: Node
metadata: {name: lame, labels: {kubernetes.io/hostname: lame}}
"""
LAME_STATUS = {"allocatable": {"cpu": "1k", "memory": "4Ti", "pods": "500"}, "capacity": {"cpu": "1k", "memory": "4Ti", "pods": "500"}, "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}


class Rig:
    def __init__(self, args):
        self.rig, self.binary, self.out = args.rig, os.path.abspath(args.binary), args.out

    def k(self, *words, stdin=None, check=True):
        done = subprocess.run([self.rig, "exec", "kubectl", *words], input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode:
            sys.exit(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def get(self, *words):
        return json.loads(self.k("get", *words, "-o", "json"))["items"]

    def apply(self, text):
        self.k("apply", "-f", "-", stdin=text)

    def start(self, *words):
        """The program, in the background."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen([self.rig, "exec", self.binary, *words], stdout=quiet, stderr=quiet)

    def users(self, run, n, secs):
        url = f"http://10.244.0.1:80/?sleep={random.randint(400, 700)}"
        into = f"{self.out}/loads/{run.name}-{n}"
        return self.start("load", url, "--host", f"{run.service}.{run.namespace}.rig.test", "-c", str(n), "-z", f"{secs}s", "--headless", "--out", into)


class Run:
    def __init__(self, rig, injected, name):
        self.rig, self.injected, self.name = rig, injected, name
        self.service, self.namespace = name, f"{name}-ns"
        self.folder = f"{rig.out}/{name}"
        self.ended = threading.Event()
        self.going = []

    def make(self):
        most = random.randint(4, 6) if self.injected == "max-scale" else 40
        # What the activator has in hand it reports itself: a scrape that is missed loses it not.
        burst = "0" if self.injected == "missed" else random.choice(["0", "200"])
        cpu = WIDE_CPU if self.injected == "unschedulable" else "50m"
        self.rig.k("create", "namespace", self.namespace)
        self.rig.apply(f"""
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: {self.service}, namespace: {self.namespace}}}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/target: "10"
        autoscaling.knative.dev/window: "20s"
        autoscaling.knative.dev/target-burst-capacity: "{burst}"
        autoscaling.knative.dev/max-scale: "{most}"
    spec:
      containers:
      - image: rig.local/app:v1
        env: [{{name: STARTUP_DELAY_S, value: "1"}}]
        resources: {{requests: {{cpu: "{cpu}", memory: 32Mi}}}}
""")
        self.rig.k("-n", self.namespace, "wait", "--for=condition=Ready", "--timeout=60s", f"ksvc/{self.service}")

    def watch(self, secs):
        kubeconfig = []
        if self.injected == "incomplete":
            kubeconfig = ["--kubeconfig", self.account()]
        self.going.append(self.rig.start("watch", self.service, "-n", self.namespace, *kubeconfig, "--headless", "--duration", f"{secs}s", "--out", self.folder))

    def account(self):
        """One that may read all, until rights are taken away; its kubeconfig."""
        account = f"system:serviceaccount:{self.namespace}:eyes"
        self.rig.k("-n", self.namespace, "create", "serviceaccount", "eyes")
        self.rig.k("create", "clusterrole", f"{self.name}-all", "--verb=get,list,watch", "--resource=*.*", check=False)
        self.rig.k("create", "clusterrolebinding", f"{self.name}-all", f"--clusterrole={self.name}-all", f"--serviceaccount={self.namespace}:eyes")
        token = self.rig.k("-n", self.namespace, "create", "token", "eyes").strip()
        config = json.loads(self.rig.k("config", "view", "--raw", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        path = os.path.abspath(f"{self.rig.out}/{self.name}.kubeconfig")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def pods(self):
        return self.rig.get("pods", "-n", self.namespace)

    def more_users(self):
        time.sleep(random.uniform(1, 3))
        n = random.randint(30, 50)
        if self.injected == "unschedulable":
            n = 70
        self.going.append(self.rig.users(self, n, AFTER_S / 2 if self.injected == "nothing" else AFTER_S))

    def inject(self):
        """What concerns this service alone."""
        if self.injected == "quota":
            n = len(self.pods()) + 1
            self.rig.k("-n", self.namespace, "create", "quota", "few", f"--hard=pods={n}")
        elif self.injected == "missed":
            threading.Thread(target=self.miss).start()
        elif self.injected == "incomplete":
            threading.Thread(target=self.blind).start()

    def miss(self):
        pid = pid_of("autoscaler")
        route = ["nsenter", "-t", pid, "-n", "ip", "route"]
        lost = set()
        while not self.ended.wait(1):
            ips = {ip for pod in self.pods() if (ip := pod["status"].get("podIP"))}
            wanted = {ip for ip in ips if random.random() < 0.7}
            for ip in wanted - lost:
                subprocess.run([*route, "add", "blackhole", ip], check=False, stderr=subprocess.DEVNULL)
            for ip in lost - wanted:
                subprocess.run([*route, "del", "blackhole", ip], check=False, stderr=subprocess.DEVNULL)
            lost = wanted
        for ip in lost:
            subprocess.run([*route, "del", "blackhole", ip], check=False, stderr=subprocess.DEVNULL)

    def blind(self):
        """All but activators, and but the pods that are there now: those to come do not answer."""
        seen = [f"{pod['metadata']['name']}:{port}" for pod in self.pods() for port in (9090, 9091)]
        scaler = [f"{pod['metadata']['name']}:9090" for pod in self.rig.get("pods", "-n", "knative-serving", "-l", "app=autoscaler")]
        rules = [
            {"apiGroups": ["*"], "resources": ["pods", "pods/log", "events", "configmaps", "deployments", "services", "revisions", "podautoscalers", "serverlessservices", "horizontalpodautoscalers", "leases", "metrics"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/proxy"], "resourceNames": seen[: len(seen) // 4 * 2] + scaler, "verbs": ["get"]},
        ]
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": f"{self.name}-all"}, "rules": rules}
        self.rig.apply(json.dumps(role))

    def unmake(self):
        self.ended.set()
        self.rig.k("delete", "clusterrole,clusterrolebinding", f"{self.name}-all", "--ignore-not-found", check=False)
        self.rig.k("-n", self.namespace, "delete", "ksvc", self.service, "--wait=false")
        self.rig.k("delete", "namespace", self.namespace, "--wait=false")


def pid_of(program):
    ours = subprocess.run(["pgrep", "-f", f"rampscope-rig/bin/{program}$"], capture_output=True, text=True, check=True)
    return ours.stdout.split()[0]


def lame_node(rig, ended):
    """A node without a kubelet: its pods are told that their image cannot be pulled."""
    message = 'Back-off pulling image "rig.local/app:v1": ErrImagePull: manifest unknown'
    while not ended.wait(0.5):
        for pod in rig.get("pods", "-A", "--field-selector=spec.nodeName=lame"):
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            if pod["metadata"].get("deletionTimestamp"):
                rig.k("-n", namespace, "delete", "pod", name, "--force", "--grace-period=0", "--wait=false", check=False)
            elif "containerStatuses" not in pod["status"]:
                waits = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
                containers = [{"name": it["name"], "image": it["image"], "imageID": "", "ready": False, "started": False, "restartCount": 0, "state": waits} for it in pod["spec"]["containers"]]
                status = {"phase": "Pending", "containerStatuses": containers}
                rig.k("-n", namespace, "patch", "pod", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}), check=False)


def setting(rig, percentage):
    patch = {"data": {"container-concurrency-target-percentage": percentage}}
    rig.k("-n", "knative-serving", "patch", "configmap/config-autoscaler", "--type=merge", "-p", json.dumps(patch))


def owner(rig):
    for lease in rig.get("leases", "-n", "knative-serving"):
        if lease["metadata"]["name"].startswith("autoscaler-bucket"):
            return lease["spec"]["holderIdentity"].split("_")[0]
    sys.exit("nobody owns the autoscaler's lease")


def happen(rig, injected):
    """What concerns all services."""
    if injected == "restarted":
        rig.k("-n", "knative-serving", "delete", "pod", "-l", "app=autoscaler", "--wait=false")
    elif injected == "leader":
        # The one that goes is the owner: what takes over has stood by, and none is made in its place.
        rig.k("-n", "knative-serving", "annotate", "pod", owner(rig), "controller.kubernetes.io/pod-deletion-cost=-100")
        rig.k("-n", "knative-serving", "scale", "deployment/autoscaler", "--replicas=1")
    elif injected == "image":
        rig.k("cordon", "node-0")
        rig.apply(LAME)
        rig.k("patch", "node", "lame", "--subresource=status", "--type=merge", "-p", json.dumps({"status": LAME_STATUS}))
    elif injected == "changed":
        setting(rig, str(random.randint(25, 40)))


def batch(rig, all_injected, suffix):
    runs = [Run(rig, injected, f"{injected}-{suffix}{'ab'[all_injected[:idx].count(injected)]}") for idx, injected in enumerate(all_injected)]
    first, ended = all_injected[0], threading.Event()
    lame = threading.Thread(target=lame_node, args=(rig, ended))
    if first == "leader":
        rig.k("-n", "knative-serving", "scale", "deployment/autoscaler", "--replicas=2")
        rig.k("-n", "knative-serving", "rollout", "status", "deployment/autoscaler")
        # One that is young might stand in place of another.
        time.sleep(20)
    for run in runs:
        run.make()
    for run in runs:
        run.going.append(rig.users(run, random.randint(12, 24), 24 + QUIET_S + AFTER_S))
    # Who comes in the midst of a change has to look for a window, and says so.
    time.sleep(24 + random.uniform(0, 2))
    for run in runs:
        run.watch(QUIET_S + AFTER_S)
    time.sleep(QUIET_S)
    for run in runs:
        run.inject()
    happen(rig, first)
    if first == "image":
        lame.start()
    for run in runs:
        if run.injected not in SAME_LOAD:
            run.more_users()
    for run in runs:
        for process in run.going:
            process.wait()
    for run in runs:
        run.unmake()
    # The next batch needs the room.
    while any(run.pods() for run in runs):
        time.sleep(1)
    ended.set()
    if first == "image":
        lame.join()
        rig.k("delete", "node", "lame")
        rig.k("uncordon", "node-0")
    if first == "changed":
        setting(rig, None)


def judge(binary, out):
    rows = collections.defaultdict(list)
    for name in sorted(os.listdir(out)):
        folder = os.path.join(out, name)
        if not os.path.isdir(folder) or name == "loads":
            continue
        text = subprocess.run([binary, "explain", folder, "--json"], capture_output=True, text=True, check=False).stdout
        ticks = [json.loads(line) for line in text.splitlines()]
        by = collections.Counter()
        for tick in ticks:
            for said in tick["causes"].values():
                by.update(key.strip() for key, words in WORDS.items() if said.startswith(words))
        rows[name.rsplit("-", 1)[0]].append((name, len(ticks), by))
    print(f"{'injected':16}{'runs':>5}{'named':>7}{'others':>8}{'incomplete':>12}")
    for injected in dict.fromkeys(name for batch in BATCHES for name in batch):
        runs = rows.get(injected, [])
        named = [2 * by[injected] > by.total() for _, _, by in runs]
        others = [any(key not in (injected, "incomplete") for key in by) for _, _, by in runs]
        n_ticks = sum(n for _, n, _ in runs) or 1
        incomplete = sum(by["incomplete"] for _, _, by in runs) / n_ticks
        print(f"{injected:16}{len(runs):>5}{sum(named):>7}{sum(others):>8}{incomplete:>11.1%}")
        for (name, n, by), is_named, is_other in zip(runs, named, others):
            if is_other or not is_named and injected != "nothing":
                print(f"    {name}: {dict(by)} of {n}")


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--binary", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--rig", help="the rig's command")
    args.add_argument("--rounds", default="1", help="how many, or FROM-TO")
    args.add_argument("--only", nargs="*", help="only batches with one of these")
    args.add_argument("--judge", action="store_true", help="only judge what is recorded")
    args = args.parse_args()
    if not args.judge:
        os.makedirs(f"{args.out}/loads", exist_ok=True)
        first, _, last = args.rounds.rpartition("-")
        for number in range(int(first or 1), int(last) + 1):
            for names in BATCHES:
                if not args.only or set(args.only) & set(names):
                    batch(Rig(args), names, str(number))
                    print(f"round {number}: {', '.join(names)}", flush=True)
    judge(args.binary, args.out)


if __name__ == "__main__":
    main()
