#!/usr/bin/env python3
"""Runs a scenario with rampscope's screen inside the rig, takes snapshots, and compares.

    rig exec tests/rig/truth.py --binary target/debug/rampscope --record-py ../shared/rig/record.py \\
        --out DIR --at '4 9 14 20:2 21 22:1' --seconds 30 [--gateway 10.244.0.1:80] \\
        [--also '12 kubectl …'] -- run SCENARIO …

--at       moments at which `s` is pressed, in seconds; `20:2` presses `2` instead, `20:space` and
           `20:left*8` name what has no letter
--gateway  puts relay.py before it, which writes an access log of its own
--also     runs a command at a moment, as one that deletes an autoscaler

Beside it runs the rig's own record; afterwards check_snapshots.py judges. Its exit code is ours.
"""
import argparse
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
KEYS = {"space": " ", "left": "\x1b[D", "right": "\x1b[C", "enter": "\r", "esc": "\x1b", "tab": "\t"}


def drain(fd):
    """Somebody must read what the screen writes."""
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass


def presses(text):
    """`20` is `s` at 20 s; `20:left*8` is that key eight times."""
    at, _, key = text.partition(":")
    key, _, times = (key or "s").partition("*")
    return float(at), KEYS.get(key, key) * int(times or 1)


def on_a_terminal(command, keys):
    """Runs it on a terminal of 120 by 40 cells; `keys` are pairs of seconds and keys."""
    began = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
        os.execv(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    threading.Thread(target=drain, args=(fd,), daemon=True).start()
    for at, key in keys:
        time.sleep(max(0, began + at - time.monotonic()))
        try:
            os.write(fd, key.encode())
        except OSError:
            break
    for _ in range(600):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    sys.exit("rampscope did not end")


def relay(gateway, out):
    """Starts the relay; gives the process and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, here + "/relay.py", str(port), gateway, out + "/access"],
                               stdout=subprocess.PIPE, stderr=open(out + "/relay.err", "w"))
    process.stdout.readline()
    return process, f"http://127.0.0.1:{port}"


def later(text):
    at, _, command = text.partition(" ")

    def go():
        time.sleep(float(at))
        subprocess.run(command, shell=True)

    threading.Thread(target=go, daemon=True).start()


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--binary", required=True)
    args.add_argument("--record-py", required=True, help="record.py of the rig")
    args.add_argument("--out", required=True)
    args.add_argument("--at", required=True, help="seconds at which s is pressed, or another key")
    args.add_argument("--seconds", type=float, required=True, help="when q is pressed")
    args.add_argument("--gateway", help="HOST:PORT, to be reached through the relay")
    args.add_argument("--also", action="append", default=[], help="SECONDS COMMAND")
    args.add_argument("command", nargs="+", help="what rampscope is told")
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    record, run = args.out + "/record.jsonl", args.out + "/run"
    beside = [sys.executable, here + "/beside.py", args.record_py, record, str(args.seconds + 8)]
    recorder = subprocess.Popen(beside, stderr=open(args.out + "/record.err", "w"))
    while not os.path.exists(record + ".start"):
        time.sleep(0.1)
    # So that the record knows what was there before.
    time.sleep(3)
    command, known = [os.path.abspath(args.binary), *args.command, "--out", run, "--log", args.out + "/log"], []
    between = None
    if args.gateway:
        between, url = relay(args.gateway, args.out)
        command += ["--gateway", url]
        known = ["--access", args.out + "/access"]
    for one in args.also:
        later(one)
    # `q` asks while load runs, and `s` there stops it.
    keys = [presses(text) for text in args.at.split()] + [(args.seconds, "q"), (args.seconds + 0.5, "s")]
    print(f"rampscope ended with {on_a_terminal(command, keys)}", flush=True)
    recorder.wait(timeout=60)
    if between:
        between.terminate()
        between.wait()
    with open(args.out + "/autoscaler.jsonl", "w") as file:
        # Those that are gone have said nothing of the end; their lines were kept by `--also`.
        logs = ["kubectl", "-n", "knative-serving", "logs", "-l", "app=autoscaler", "--tail=-1"]
        subprocess.run(logs, stdout=file, check=True)
        for name in sorted(os.listdir(args.out)):
            if name.endswith(".log"):
                file.write(open(f"{args.out}/{name}").read())
    with open(args.out + "/ksvc.json", "w") as file:
        subprocess.run(["kubectl", "get", "ksvc", "-o", "json"], stdout=file, check=True)
    check = [sys.executable, "-B", here + "/check_snapshots.py", run, "--record", record, "--log", args.out + "/autoscaler.jsonl",
             "--ksvc", args.out + "/ksvc.json", *known]
    code = subprocess.run(check).returncode
    if code:
        print("the record said, at the end:", *open(args.out + "/record.err").readlines()[-20:], sep="\n", flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
