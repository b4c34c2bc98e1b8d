"""What is copied is told in the unit that it has something to say in."""

import pytest

from tools.screen import amount


@pytest.mark.parametrize(
    ("files", "size", "said"), [(1, 20_480, "1 file, 20.5 KB"), (12, 69_000_000, "12 files, 69.0 MB")]
)
def test_few_bytes_are_not_told_as_none(files: int, size: int, said: str) -> None:
    assert amount(files, size) == said
