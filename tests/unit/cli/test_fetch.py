"""What is to be fetched names a claim and a path that stays within it."""

from pathlib import PurePosixPath

import pytest

from cli.errors import CommandFailed
from cli.fetch import parsed


@pytest.mark.parametrize("source", ["data/.training/tale/model", "pvc://data/.training/tale/model"])
def test_a_path_in_a_claim_is_understood(source: str) -> None:
    assert parsed(source) == ("data", PurePosixPath(".training/tale/model"))


@pytest.mark.parametrize("source", ["", "data", "data/", "tapes/x", "data/../x", "data//etc/passwd", "/data/x"])
def test_anything_else_is_refused(source: str) -> None:
    with pytest.raises(CommandFailed, match="expected CLAIM/PATH, with one of the claims models, vectors, data"):
        parsed(source)
