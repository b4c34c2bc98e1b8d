"""A web server in pods that bring no program of their own: it runs on their machine's Python, mounted to be read."""

import json
from typing import Any

from tests.e2e.lab import Lab

MOUNTS = ("usr", "lib", "lib64")
LABELS = {"app": "web"}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8000}]},
}


def pod_spec(*arguments: str, **container: Any) -> dict[str, Any]:
    """Of a pod that runs python3 with these arguments, and serves on port 8000."""
    runs = {
        "name": "c",
        "image": "localhost/homespun/pause:3.10.2",
        "command": ["/usr/bin/python3", *arguments],
        "readinessProbe": {"httpGet": {"port": 8000}, "periodSeconds": 1},
        "volumeMounts": [{"name": name, "mountPath": f"/{name}", "readOnly": True} for name in MOUNTS],
    }
    volumes = [{"name": name, "hostPath": {"path": f"/{name}"}} for name in MOUNTS]
    return {"containers": [runs | container], "volumes": volumes, "terminationGracePeriodSeconds": 0}


def everywhere(lab: Lab) -> None:
    """A DaemonSet that serves its machine's name, and the address at which it was asked, behind a Service."""
    code = (
        "import http.server as h, os\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "  def do_GET(s): s.send_response(200); s.end_headers(); s.wfile.write((os.environ['NODE'] + ' '"
        " + s.client_address[0]).encode())\n"
        "h.HTTPServer(('', 8000), H).serve_forever()"
    )
    node = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    template = {"metadata": {"labels": LABELS}, "spec": pod_spec("-c", code, env=[node])}
    everywhere = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template},
    }
    lab.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    listed = {"apiVersion": "v1", "kind": "List", "items": [everywhere, SERVICE]}
    lab.kubectl("apply", "-f", "-", input=json.dumps(listed))
    lab.kubectl("rollout", "status", "daemonset/web", "--timeout=120s")


def ask(lab: Lab, pod: str, url: str) -> str:
    """What a server answers a pod that asks; '' where nobody answers."""
    code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode()[:200])"
    return lab.kubectl("exec", pod, "--", "/usr/bin/python3", "-c", code, check=False)
