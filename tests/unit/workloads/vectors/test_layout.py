"""Keys, names and partitions keep apart what is apart."""

from hypothesis import given
from hypothesis import strategies as st

from workloads.vectors import layout

names = st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=layout.MAX_ID)


@given(names, names, names, names)
def test_two_vectors_have_one_key_only_if_they_are_one(a: str, b: str, c: str, d: str) -> None:
    assert (layout.key(a, b) == layout.key(c, d)) == ((a, b) == (c, d))


@given(names, names, names)
def test_within_a_namespace_keys_stand_in_the_order_of_ids(namespace: str, one: str, other: str) -> None:
    assert (layout.key(namespace, one) < layout.key(namespace, other)) == (one < other)


@given(names)
def test_a_namespace_has_one_partition(namespace: str) -> None:
    assert layout.partition(namespace) in layout.PARTITIONS


def test_a_name_is_one_that_milvus_takes() -> None:
    assert layout.alias("my-papers") == "hs_my_papers"
    assert layout.generation("my-papers") == "hs_my_papers_g1"
