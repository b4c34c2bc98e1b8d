"""A collection on a real cluster: filled by Spark, spoken to by the SDK, its engine killed. Runs in order."""

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from tests.e2e import lab as labs
from tests.e2e.lab import ADDRESS, Lab
from tests.waiting import until
from tools.environments import environment
from workloads.vectors.engine import HEALTH_PORT, PORT

PAPERS = 212
GATEWAY = f"http://{ADDRESS}:30082"


def sdk(code: str, collection: str = "papers") -> str:
    """What these lines print, in the environment of a user of the SDK; `index` is the collection."""
    host = f"{GATEWAY}/v/{collection}"
    begin = f"from pinecone import Index; index = Index(host={host!r}, api_key='anything');"
    python = environment("client-pinecone") / "bin/python"
    ran = subprocess.run([python, "-c", begin + code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def found(question: str, **filters: str) -> list[str]:
    """Titles that the page's search finds."""
    query = urllib.parse.urlencode({"q": question, **filters})
    with urllib.request.urlopen(f"http://{ADDRESS}:30081/search?{query}", timeout=30) as answer:
        return [hit["title"] for hit in json.load(answer)["hits"]]


def ingestion(lab: Lab) -> dict[str, object]:
    shown: dict[str, object] = labs.status(lab, "vc", "papers").get("ingestion", {})
    return shown


def test_the_papers_were_read_embedded_and_written_by_spark(lab: Lab) -> None:
    shown = ingestion(lab)
    assert (shown["read"], shown["upserted"], shown["quarantined"]) == (PAPERS, PAPERS, 0)
    assert shown["engine"] == "spark"
    assert labs.conditions(lab, "papers", "vc") == {"Accepted": "True", "Ready": "True", "Ingested": "True"}
    until("their number", lambda: labs.status(lab, "vc", "papers")["rows"] == PAPERS, 30)


def test_the_page_searches_by_meaning_year_and_venue(lab: Lab) -> None:
    assert found("compressing images in a latent space with diffusion", venue="CVPR")[0].startswith("High-Resolution")
    assert found("attention", until="2016")[0] != "Attention Is All You Need"


def test_the_sdk_finds_them_and_keeps_its_own(lab: Lab) -> None:
    assert sdk("print(index.fetch(ids=['p01']).vectors['p01'].metadata['title'])") == "Attention Is All You Need"
    own = (
        "index.upsert(vectors=[{'id': 'mine', 'values': [1.0] + [0.0] * 383, 'metadata': {'year': 1999}}],"
        " namespace='own');"
        "import time; end = time.time() + 10;"
        "\nwhile True:"
        "\n  got = index.query(vector=[1.0] + [0.0] * 383, top_k=3, namespace='own', filter={'year': {'$lt': 2000}})"
        "\n  if got.matches or time.time() > end: break"
        "\nprint([match.id for match in got.matches])"
    )
    assert sdk(own) == "['mine']"
    assert sdk("print(sorted(index.describe_index_stats().namespaces))") == "['__default__', 'own']"
    sdk("index.delete(delete_all=True, namespace='own')")


@pytest.mark.parametrize("page", ["README.md", "docs/vectors.md"])
def test_what_the_documents_show_works(lab: Lab, page: str) -> None:
    """Their lines of Python, one after another, as one would type them in `make shell`."""
    text = (labs.REPOSITORY / page).read_text().replace("10.41.0.10", str(ADDRESS))
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    ran = subprocess.run([environment("shell") / "bin/python", "-c", code], capture_output=True, text=True, timeout=120)
    assert "Attention Is All You Need" in ran.stdout, ran.stderr
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def elsewhere(lab: Lab) -> Iterator[str]:
    """A Milvus that is none of ours: its address."""
    path = "jsonpath={.spec.template.spec.containers[?(@.name=='milvus')].image}"
    image = lab.kubectl("-n", "ml", "get", "deployment/vector-server", "-o", path)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "theirs", "labels": {"app": "theirs"}},
        "spec": {
            "containers": [
                {
                    "name": "milvus",
                    "image": image,
                    "command": ["python", "-m", "workloads.vectors.engine", "--data=/tmp"],
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": HEALTH_PORT}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "terminationGracePeriodSeconds": 0,
        },
    }
    spec = {"selector": {"app": "theirs"}, "ports": [{"port": PORT}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs"}, "spec": spec}
    lab.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, service]}))
    lab.kubectl("wait", "--for=condition=Ready", "pod/theirs", "--timeout=120s")
    yield f"http://theirs.default:{PORT}"
    lab.kubectl("delete", "pod/theirs", "service/theirs")


def test_a_collection_may_live_in_a_milvus_elsewhere(lab: Lab, elsewhere: str) -> None:
    document = {
        "apiVersion": "homespun.dev/v1alpha1",
        "kind": "VectorCollection",
        "metadata": {"name": "abroad", "namespace": "ml"},
        "spec": {"engine": {"address": elsewhere}, "vectors": {"dimension": 2, "metric": "cosine"}},
    }
    lab.kubectl("apply", "-f", "-", input=json.dumps(document))
    until("Ready", lambda: labs.conditions(lab, "abroad", "vc").get("Ready") == "True", 120)
    sdk("index.upsert(vectors=[{'id': 'far', 'values': [1.0, 0.0]}])", "abroad")
    asked = "print([match.id for match in index.query(vector=[1.0, 0.1], top_k=1).matches])"
    until("it is found", lambda: sdk(asked, "abroad") == "['far']")
    lab.kubectl("-n", "ml", "delete", "vc", "abroad")


def test_a_second_run_writes_nothing(lab: Lab) -> None:
    lab.kubectl("-n", "ml", "delete", "job", str(ingestion(lab)["job"]))
    until("the second run", lambda: ingestion(lab).get("unchanged") == PAPERS, 120)
    assert (ingestion(lab)["upserted"], ingestion(lab)["engine"]) == (0, "none")


def test_a_killed_engine_comes_back_by_itself_with_all_of_it(lab: Lab) -> None:
    lab.ssh("pkill -KILL -x milvus")
    until("not Ready", lambda: labs.conditions(lab, "papers", "vc")["Ready"] != "True", 60)
    until("Ready again", lambda: labs.conditions(lab, "papers", "vc")["Ready"] == "True", 240)
    until("all of it", lambda: labs.status(lab, "vc", "papers")["rows"] == PAPERS, 60)
    assert found("translate with attention alone, without recurrence")[0] == "Attention Is All You Need"
