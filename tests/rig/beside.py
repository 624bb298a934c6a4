#!/usr/bin/env python3
"""Runs the rig's record.py and, beside it, what that does not write down.

    beside.py RECORD_PY FILE SECONDS

FILE.start   when the record began, in seconds since 1970
FILE.usage   every sample of metrics.k8s.io of namespace default, a line each
FILE.top     what `kubectl top pods` said, with the samples of just before and just after it
FILE.autoscaler, FILE.activator
             the texts of each of their pods, by its name and with its time, several a second:
             record.py reads once a second and does not say whose text it is
FILE.stat    what each queue-proxy said, several a second for the same reason
FILE.owner   who holds the autoscaler's leases
"""
import base64
import http.client
import json
import os
import runpy
import ssl
import subprocess
import sys
import threading
import time

record, out, seconds = sys.argv[1:4]
home = os.environ.get("RIG_HOME", os.path.expanduser("~/.cache/rampscope-rig")) + "/pki"
USAGE = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"


class Api:
    def __init__(self):
        self.tls = ssl.create_default_context(cafile=home + "/ca.crt")
        self.tls.load_cert_chain(home + "/admin.crt", home + "/admin.key")
        self.connection = None

    def get(self, path):
        """The body, or None. A pod that is gone does not answer: the others must not wait for it."""
        for _ in range(2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection("10.244.0.1", 6443, context=self.tls, timeout=1)
                self.connection.request("GET", path)
                answer = self.connection.getresponse()
                body = answer.read()
                return body if answer.status == 200 else None
            except TimeoutError:
                self.connection = None
                return None
            except (OSError, http.client.HTTPException):
                self.connection = None
        return None


def repeat(every, name, look):
    """Looks again and again, and writes what it gives to FILE.name, a line each."""

    def go():
        api, file = Api(), open(f"{out}.{name}", "w", buffering=1)
        while True:
            began = time.time()
            for line in look(api):
                file.write(json.dumps({"wall": began, "until": time.time(), **line}) + "\n")
            time.sleep(max(0.02, began + every - time.time()))

    threading.Thread(target=go, daemon=True).start()


def usage(api):
    body = api.get(USAGE)
    for item in json.loads(body)["items"] if body else []:
        del item["metadata"]["labels"]
        yield item


def top(api):
    before = list(usage(api))
    said = subprocess.run(["kubectl", "top", "pods", "-n", "default", "--no-headers"], capture_output=True, text=True)
    if said.returncode == 0:
        yield {"before": before, "said": said.stdout, "after": list(usage(api))}


def names(api, namespace, selector):
    body = api.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")
    return [pod["metadata"]["name"] for pod in json.loads(body)["items"] if pod["status"].get("phase") == "Running"] if body else []


def scaler(part):
    listed = [0, []]

    def look(api):
        if time.time() - listed[0] > 1:
            listed[:] = [time.time(), names(api, "knative-serving", "app=" + part)]
        for pod in listed[1]:
            asked, body = time.time(), api.get(f"/api/v1/namespaces/knative-serving/pods/{pod}:9090/proxy/metrics")
            if body:
                lines = [line for line in body.decode().split("\n") if line.startswith("kn_revision_")]
                yield {"pod": pod, "asked": asked, "at": time.time(), "body": "\n".join(lines)}

    return look


def stats():
    listed = [0, []]

    def look(api):
        if time.time() - listed[0] > 1:
            listed[:] = [time.time(), names(api, "default", "serving.knative.dev/revision")]
        for pod in listed[1]:
            asked, body = time.time(), api.get(f"/api/v1/namespaces/default/pods/{pod}:9090/proxy/metrics")
            if body:
                yield {"pod": pod, "asked": asked, "at": time.time(), "body": base64.b64encode(body).decode()}

    return look


def owner(api):
    body = api.get("/apis/coordination.k8s.io/v1/namespaces/knative-serving/leases")
    for lease in json.loads(body)["items"] if body else []:
        if lease["metadata"]["name"].startswith("autoscaler-bucket"):
            yield {"lease": lease["metadata"]["name"], "holder": lease["spec"].get("holderIdentity")}


for every, name, look in ((0.3, "usage", usage), (4, "top", top), (0.4, "autoscaler", scaler("autoscaler")),
                          (0.4, "activator", scaler("activator")), (0.35, "stat", stats()), (1, "owner", owner)):
    repeat(every, name, look)
with open(out + ".start", "w") as file:
    file.write(repr(time.time()))
sys.argv = [record, out, seconds]
runpy.run_path(record, run_name="__main__")
