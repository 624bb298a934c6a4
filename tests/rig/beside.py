#!/usr/bin/env python3
"""Runs the rig's record.py and, beside it, what that does not write down.

    beside.py RECORD_PY FILE SECONDS

FILE.start   when the record began, in seconds since 1970
FILE.usage   every sample of metrics.k8s.io of namespace default, a line each: one every second
             there, and record.py asks every five
"""
import base64, http.client, json, os, runpy, ssl, sys, threading, time  # all that record.py imports

record, out, seconds = sys.argv[1:4]
home = os.environ.get("RIG_HOME", os.path.expanduser("~/.cache/rampscope-rig")) + "/pki"


def usage():
    tls = ssl.create_default_context(cafile=home + "/ca.crt")
    tls.load_cert_chain(home + "/admin.crt", home + "/admin.key")
    api = http.client.HTTPSConnection("10.244.0.1", 6443, context=tls, timeout=30)
    with open(out + ".usage", "w", buffering=1) as file:
        while True:
            api.request("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods")
            answer = api.getresponse()
            body = answer.read()
            if answer.status == 200:
                for item in json.loads(body)["items"]:
                    del item["metadata"]["labels"]
                    file.write(json.dumps({"wall": time.time(), **item}) + "\n")
            time.sleep(0.4)


threading.Thread(target=usage, daemon=True).start()
with open(out + ".start", "w") as file:
    file.write(repr(time.time()))
sys.argv = [record, out, seconds]
runpy.run_path(record, run_name="__main__")
