"""A published file of sha256 sums is read in both of its forms."""

from tools.obtain import checksum_of


def test_a_bare_sum() -> None:
    assert checksum_of("abc123\n", "kubectl") == "abc123"


def test_a_line_for_each_file() -> None:
    assert checksum_of("111  a.tar.gz\n222 *b.tar.gz\n", "b.tar.gz") == "222"


def test_a_file_that_is_not_listed_has_no_sum() -> None:
    assert checksum_of("111  a.tar.gz\n222  b.tar.gz\n", "c.tar.gz") is None
