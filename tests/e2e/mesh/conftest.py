"""Three machines for the tests of this folder; gone before others begin."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import Pods, listed_or_none, running
from tests.e2e.web import LABELS, SERVICE, pod_spec


@pytest.fixture(scope="package")
def trio() -> Iterator[Lab]:
    with running() as lab:
        yield lab


@pytest.fixture(scope="package")
def web(trio: Lab) -> Pods:
    """A DaemonSet that serves its machine's name, behind a Service."""
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
    trio.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    listed = {"apiVersion": "v1", "kind": "List", "items": [everywhere, SERVICE]}
    trio.kubectl("apply", "-f", "-", input=json.dumps(listed))
    trio.kubectl("rollout", "status", "daemonset/web", "--timeout=120s")
    return lambda: {one["spec"]["nodeName"]: one for one in listed_or_none(trio, "pods", "-l", "app=web")}
