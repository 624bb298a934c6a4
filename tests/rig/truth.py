#!/usr/bin/env python3
"""Runs a scenario with rampscope's screen inside the rig, presses `s` at some moments, and compares.

    rig exec tests/rig/truth.py --binary target/debug/rampscope --record-py ../shared/rig/record.py \\
        --out DIR --at '4 9 14' --seconds 30 -- run SCENARIO …

Beside it runs the rig's own record; afterwards check_snapshots.py judges. Its exit code is ours.
"""
import argparse
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))


def drain(fd):
    """Somebody must read what the screen writes."""
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass


def on_a_terminal(command, keys, out):
    """Runs it on a terminal of 120 by 40 cells; `keys` are pairs of seconds and a key."""
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


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--binary", required=True)
    args.add_argument("--record-py", required=True, help="record.py of the rig")
    args.add_argument("--out", required=True)
    args.add_argument("--at", required=True, help="seconds at which s is pressed")
    args.add_argument("--seconds", type=float, required=True, help="when q is pressed")
    args.add_argument("command", nargs="+", help="what rampscope is told")
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    record, run = args.out + "/record.jsonl", args.out + "/run"
    beside = [sys.executable, here + "/beside.py", args.record_py, record, str(args.seconds + 8)]
    recorder = subprocess.Popen(beside, stderr=open(args.out + "/record.err", "w"))
    while not os.path.exists(record + ".start"):
        time.sleep(0.1)
    # So that the record knows what was there before.
    time.sleep(2)
    keys = [(float(at), "s") for at in args.at.split()] + [(args.seconds, "q")]
    code = on_a_terminal([os.path.abspath(args.binary), *args.command, "--out", run, "--log", args.out + "/log"], keys, args.out)
    print(f"rampscope ended with {code}")
    recorder.wait(timeout=60)
    logs = ["kubectl", "-n", "knative-serving", "logs", "-l", "app=autoscaler", "--tail=-1"]
    with open(args.out + "/autoscaler.jsonl", "w") as file:
        subprocess.run(logs, stdout=file, check=True)
    check = [sys.executable, here + "/check_snapshots.py", run, "--record", record, "--log", args.out + "/autoscaler.jsonl"]
    sys.exit(subprocess.run(check).returncode)


if __name__ == "__main__":
    main()
