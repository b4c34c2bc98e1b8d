"""What a user's program does with the Pinecone SDK; run in the SDK's environment. Prints JSON.

python client.py URL KEY INDEX CALL
"""

import json
import sys
import uuid
from typing import Any

from pinecone import Pinecone
from pinecone.errors.exceptions import ApiError


def journey(pc: Any, index: Any) -> Any:
    """Everything that the classic vectors API has."""
    space, found = f"sdk-{uuid.uuid4().hex}", {}
    found["created"] = index.create_namespace(name=space).name == space
    records = [
        {"id": f"doc{n}", "values": [1.0, n / 10, 0, 0], "metadata": {"year": 2010 + n, "tags": ["a"]}}
        for n in range(5)
    ]
    found["upserted"] = index.upsert(vectors=records, namespace=space).upserted_count
    while index.describe_index_stats().namespaces[space].vector_count < 5:
        pass
    asked = {"vector": [1, 0, 0, 0], "top_k": 3, "namespace": space, "include_metadata": True, "include_values": True}
    matches = index.query(**asked).matches
    found["query"] = [[match.id, match.metadata["year"], len(match.values)] for match in matches]
    found["filtered"] = [m.id for m in index.query(**{**asked, "filter": {"year": {"$gte": 2013}}}).matches]
    found["by id"] = index.query(id="doc4", top_k=1, namespace=space).matches[0].id
    found["fetched"] = sorted(index.fetch(ids=["doc0", "no"], namespace=space).vectors)
    found["by metadata"] = sorted(index.fetch_by_metadata(filter={"year": 2012}, namespace=space).vectors)
    found["listed"] = [item.id for page in index.list(prefix="doc", limit=2, namespace=space) for item in page.vectors]
    index.update(id="doc0", set_metadata={"note": "new"}, namespace=space)
    update = {"filter": {"year": {"$gte": 2013}}, "set_metadata": {"late": True}, "namespace": space}
    found["dry"] = index.update(**update, dry_run=True).matched_records
    found["updated"] = index.update(**update).matched_records
    index.delete(ids=["doc1"], namespace=space)
    index.delete(filter={"year": 2012}, namespace=space)
    while index.describe_index_stats().namespaces[space].vector_count > 3:
        pass
    found["left"] = sorted(index.fetch(ids=[f"doc{n}" for n in range(5)], namespace=space).vectors)
    found["note"] = index.fetch(ids=["doc0"], namespace=space).vectors["doc0"].metadata
    found["described"] = index.describe_namespace(name=space).record_count
    found["namespaces"] = space in [one.name for page in index.list_namespaces() for one in page.namespaces]
    index.delete(delete_all=True, namespace=space)
    index.delete_namespace(name=space)
    found["gone"] = space not in index.describe_index_stats().namespaces
    return found


CALLS: dict[str, Any] = {
    "journey": journey,
    "indexes": lambda pc, index: sorted(one.name for one in pc.list_indexes()),
    "describe": lambda pc, index: [
        (one := pc.describe_index("papers")).name, one.dimension, one.metric, one.status.ready, one.host,
    ],
    "create": lambda pc, index: pc.create_index(
        name="new", dimension=4, metric="cosine", spec={"serverless": {"cloud": "aws", "region": "us-east-1"}}
    ),
    "remove": lambda pc, index: pc.delete_index("papers"),
    "dimension": lambda pc, index: index.query(vector=[1.0, 2.0], top_k=1).matches,
    "query": lambda pc, index: len(index.query(vector=[1.0, 2.0, 3.0, 4.0], top_k=1).matches),
    "batches": lambda pc, index: index.upsert(
        vectors=[(f"b{n}", [1.0, n, 0, 0]) for n in range(250)], batch_size=100, show_progress=False, namespace="many"
    ).upserted_count,
}  # fmt: skip


def main() -> None:
    url, key, name, call = sys.argv[1:]
    pc = Pinecone(api_key=key, host=url)
    try:
        index = pc.Index(name)
        print(json.dumps({"answer": CALLS[call](pc, index)}))
    except ApiError as error:
        print(json.dumps({"status": error.status_code, "message": str(error)}))


main()
