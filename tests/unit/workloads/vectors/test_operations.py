"""Requests are read as Pinecone's, and what is none is refused."""

import numpy as np
import pytest

from workloads.edge.errors import Forbidden, InvalidRequest
from workloads.vectors import layout
from workloads.vectors.config import Collection, Field
from workloads.vectors.gateway import operations, records

PAPERS = Collection("papers", 2, "cosine", (Field("year", "int"), Field("tags", "stringList")))


def test_of_one_id_the_last_vector_counts() -> None:
    vectors = [{"id": "a", "values": [1, 0]}, {"id": "b", "values": [1, 0]}, {"id": "a", "values": [0, 1]}]
    found = operations.upsert({"vectors": vectors}, PAPERS)
    assert {record.id: record.values.tolist() for record in found.records} == {"a": [0, 1], "b": [1, 0]}


@pytest.mark.parametrize("name", [None, "", "__default__"])
def test_the_namespace_without_a_name_has_one(name: str | None) -> None:
    assert operations.namespace(name) == layout.DEFAULT_NAMESPACE


def test_a_pagination_token_leads_on_where_it_was_given() -> None:
    assert operations.page({"paginationToken": operations.token("doc~1")}).after == "doc~1"


def test_the_operators_namespaces_are_for_the_operator() -> None:
    operations.check_owner("__homespun-probe", operator=True)
    with pytest.raises(Forbidden, match="take another one"):
        operations.check_owner("__homespun-probe", operator=False)


def test_a_row_has_a_column_for_each_declared_field_and_all_metadata() -> None:
    metadata = {"year": 2017.0, "note": "x"}
    row = records.to_row(records.Record("a", np.ones(2, np.float32), metadata), "n", PAPERS)
    assert (row["pk"], row["namespace"], row["id"], row["metadata"]) == ("1:na", "n", "a", metadata)
    assert (row["f_year"], row["f_tags"]) == (2017, layout.MISSING["stringList"])
    assert isinstance(row["f_year"], int)


def test_a_zero_vector_is_refused_by_cosine_alone() -> None:
    with pytest.raises(InvalidRequest, match="cosine knows no zero vector"):
        records.read_values([0, 0], PAPERS, "vector")
    assert not records.read_values([0, 0], Collection("near", 2, "euclidean"), "vector").any()


def test_metadata_has_a_size() -> None:
    records.check_metadata({"k": "a" * (layout.MAX_METADATA - 8)}, PAPERS, "metadata")
    with pytest.raises(InvalidRequest, match="exceeds the limit of 40960 bytes"):
        records.check_metadata({"k": "a" * (layout.MAX_METADATA - 7)}, PAPERS, "metadata")
