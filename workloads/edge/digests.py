"""What a file's content is known by. Standard library only."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """sha256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
