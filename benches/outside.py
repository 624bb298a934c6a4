#!/usr/bin/env python3
"""The figures that can only be seen from outside of the program, on a pseudo terminal of 120x40.

    outside.py BINARY first-frame [STARTS]     from start to the first whole frame, in ms
    outside.py BINARY bytes                    bytes a second to the terminal over the demo
    outside.py BINARY cpu PODS [run] [keys]    CPU of the threads of screen and loop with so many pods,
                                               and the frame rate that came about; `run`: under load;
                                               `keys`: a cursor that moves, so that ten come about
    outside.py BINARY memory URL [MINUTES]     resident memory at 2,000 requests a second
    outside.py BINARY demo                     the demo without a screen, second by second
"""
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


class Screen:
    """A program on a terminal."""

    def __init__(self, command, home, env=None):
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", XDG_STATE_HOME=home, **(env or {}))
            os.execv(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self, seconds):
        """What comes within so long; None when the program has gone."""
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return b""
        try:
            return os.read(self.fd, 1 << 16) or None
        except OSError:
            return None

    def read_for(self, seconds, keys=()):
        """Reads for so long, and presses a key twelve times a second, one after the other."""
        until, n_bytes, n_pressed, began = time.monotonic() + seconds, 0, 0, time.monotonic()
        while time.monotonic() < until:
            pause = until - time.monotonic()
            if keys:
                if n_pressed / 12 <= time.monotonic() - began:
                    os.write(self.fd, keys[n_pressed % len(keys)])
                    n_pressed += 1
                pause = min(pause, 1 / 24)
            some = self.read(pause)
            if some is None:
                time.sleep(max(0, until - time.monotonic()))
                break
            n_bytes += len(some)
        return n_bytes

    def quit(self):
        for keys in (b"q", b"s"):
            try:
                os.write(self.fd, keys)
            except OSError:
                break
            self.read_for(0.3)
        for _ in range(200):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                os.close(self.fd)
                return
            self.read_for(0.05)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        print("it had to be killed")

    def threads(self):
        """CPU seconds of each thread by its name."""
        used = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            text = open(f"/proc/{self.pid}/task/{thread}/stat").read()
            name, fields = text[text.index("(") + 1: text.rindex(")")], text[text.rindex(")") + 2:].split()
            used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
        return used


def first_frame(binary, n=10):
    took = []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(int(n)):
            screen, seen = Screen([binary, "demo"], home), b""
            # A frame ends with the hints in its last row, of which `quit` is in every view.
            while b"\x1b[?1049h" not in seen or b"quit" not in seen.split(b"\x1b[?1049h", 1)[1]:
                seen += screen.read(5) or b""
            took.append((time.monotonic() - screen.began) * 1000)
            screen.read_for(0.3)
            screen.quit()
    print(f"first frame, {n} starts: median {statistics.median(took):.0f} ms, max {max(took):.0f} ms, all {[round(it) for it in took]}")


def bytes_a_second(binary):
    with tempfile.TemporaryDirectory() as home:
        screen, seconds = Screen([binary, "demo"], home), []
        for second in range(90):
            seconds.append(screen.read_for(screen.began + second + 1 - time.monotonic()))
        screen.quit()
    print(f"terminal bytes: mean {sum(seconds) / len(seconds) / 1024:.2f} KiB/s, second 0 {seconds[0] / 1024:.1f} KiB, "
          f"worst later second {max(seconds[1:]) / 1024:.1f} KiB (second {seconds.index(max(seconds[1:]))}), "
          f"seconds above 4 KiB: {sum(4096 < it for it in seconds)} of {len(seconds)}")


def cpu(binary, n_pods, *how):
    sim = subprocess.Popen([binary, "sim"], stdout=subprocess.PIPE, text=True)
    try:
        up = json.loads(sim.stdout.readline())
        service = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "many"}, "spec": {"template": {
            "metadata": {"annotations": {"autoscaling.knative.dev/min-scale": n_pods, "autoscaling.knative.dev/target": "10"}},
            "spec": {"containers": [{"image": "app"}]}}}}
        subprocess.run(["kubectl", "--kubeconfig", up["kubeconfig"], "apply", "-f", "-"], input=json.dumps(service), text=True, check=True,
                       stdout=subprocess.DEVNULL)
        time.sleep(8)
        with tempfile.TemporaryDirectory() as home:
            command = ["watch", "many"]
            if "run" in how:
                command = ["run", "steady", "--set", "target.service=many", "--set", "load.stages=[{name: even, for: 2m, at: 500/s}]"]
            screen = Screen([binary, *command, "--kubeconfig", up["kubeconfig"], "--fps", "10", "--out", home + "/run"], home)
            keys = (b"\x1b[D", b"\x1b[D", b"\x1b[C", b"\x1b[C") if "keys" in how else ()
            screen.read_for(10, keys)
            before, began = screen.threads(), time.monotonic()
            screen.read_for(30, keys)
            after, lasted = screen.threads(), time.monotonic() - began
            screen.quit()
            client = json.load(open(home + "/run/summary.json"))["client"]
            seconds = json.load(open(home + "/run/summary.json"))["seconds"]
            shares = {name: 100 * (after[name] - before.get(name, 0)) / lasted for name in after}
            loop = shares.get(os.path.basename(binary)[:15], 0) + shares.get("terminal", 0)
            print(f"{n_pods} pods, {' '.join(how) or 'watch'}: screen and loop {loop:.2f} % of a core, "
                  f"{client['frames'] / seconds:.1f} frames a second; threads { {k: round(v, 2) for k, v in shares.items() if 0.01 < v} }")
    finally:
        sim.terminate()
        sim.wait()


def memory(binary, url, minutes="10"):
    def resident(pid):
        return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))

    minutes = int(minutes)
    with tempfile.TemporaryDirectory() as home:
        load = subprocess.Popen([binary, "load", url, "-r", "2000", "-z", f"{minutes}m", "--headless", "--out", home + "/run"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen = []
        for minute in range(1, minutes + 1):
            time.sleep(60 if minute < minutes else 57)
            seen.append(resident(load.pid))
            print(f"minute {minute}: {seen[-1] / 1024:.2f} MiB", flush=True)
        load.wait()
        print(f"minute {minutes} minus minute 3: {(seen[-1] - seen[2]) / 1024:+.2f} MiB")


def listeners(pid):
    """The ports on loopback on which a process listens."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    rows = (line.split() for line in list(open(f"/proc/{pid}/net/tcp"))[1:])
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def truth(port):
    """What the embedded cluster says of itself: ready, all pods, desired, panic."""
    text = get(port, "/api/v1/namespaces/knative-serving/services/autoscaler:http-metrics/proxy/metrics")
    gauge = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("kn_revision_")}
    pods = json.loads(get(port, "/api/v1/namespaces/default/pods") or "{}").get("items", [])
    ready = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]
             and any(it["type"] == "Ready" and it["status"] == "True" for it in pod["status"].get("conditions", []))]
    scalers = json.loads(get(port, "/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/default/podautoscalers") or "{}").get("items", [])
    desired = [it["status"].get("desiredScale") for it in scalers]
    return {"ready": len(ready), "pods": len(pods), "desired": desired[0] if desired else None,
            "panic": {1.0: True, 0.0: False}.get(gauge.get("kn_revision_panic_mode"))}


def demo(binary):
    """What it says, and beside it what the embedded cluster's own metrics and objects say."""
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        run = subprocess.Popen([binary, "demo", "--headless", "--json", "--out", home + "/run"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port, before, n_off = None, [], 0
        print("  s      stage        done/s  ready pods desired panic   cluster: ready pods desired panic")
        for line in run.stdout:
            said = json.loads(line)
            if said.get("event") != "progress":
                print(f"summary: outcome {said['outcome']}, panics {said['scaling']['panics']}, ready_max {said['scaling']['ready_max']}, "
                      f"sent {said['traffic']['sent']}, failed {said['traffic']['failed']}")
                break
            port = port or next((it for it in listeners(run.pid) if "gitVersion" in get(it, "/version")), None)
            known = truth(port) if port else None
            shown = {"ready": said["ready"], "pods": said["ready"] is not None and said["ready"] + said["starting"] + said["terminating"],
                     "desired": said["desired"], "panic": said["panic"]}
            # What is shown may be as old as one reading of its source.
            before = ([known] if known else []) + before[:2]
            off = [name for name in shown if shown[name] is not None and before and not any(shown[name] == it[name] for it in before)]
            n_off += bool(off)
            print(f"{time.monotonic() - began:5.1f}  {said['stage'] or '-':12} {said['done_per_s'] or 0:6.0f}  {shown['ready']!s:>5} {shown['pods']!s:>4} "
                  f"{shown['desired']!s:>7} {shown['panic']!s:5}            {known and list(known.values())} {'OFF: ' + ' '.join(off) if off else ''}")
        run.wait()
        print(f"seconds in which something differed: {n_off}")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    binary, what = os.path.abspath(sys.argv[1]), sys.argv[2]
    {"first-frame": first_frame, "bytes": bytes_a_second, "cpu": cpu, "memory": memory, "demo": demo}[what](binary, *sys.argv[3:])


if __name__ == "__main__":
    main()
