"""What a source's pattern matches, of files and of objects alike: `*` and `?` end at a slash, `**` does not."""

import re
from typing import Final

_WILDCARDS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def scope(pattern: str) -> tuple[str, bool]:
    """What all names of a pattern begin with, and whether some of them may go on after a further slash."""
    prefix = re.split(r"[*?]", pattern, maxsplit=1)[0]
    rest = pattern[len(prefix) :]
    return prefix, "/" in rest or "**" in rest


def matcher(pattern: str) -> re.Pattern[str]:
    """What a name has to match in full; all but the wildcards stands for itself."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    written = "".join(_WILDCARDS.get(part, re.escape(part)) for part in parts)
    return re.compile(rf"{written}(?<!/)", re.DOTALL)  # what ends with a slash stands for a folder
