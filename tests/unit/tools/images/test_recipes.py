"""An image holds all of our code that its programs import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.images.build import RECIPES, REPOSITORY, Recipe

PROGRAMS = {
    "operator": ("operators.main",),
    "serving": (
        "workloads.inference.gateway.__main__",
        "workloads.inference.agent.__main__",
        "workloads.inference.receive",
        "workloads.pages.__main__",
    ),
    "triton": ("workloads.inference.server", "workloads.inference.backend.model"),
    "vectors": ("workloads.vectors.gateway.__main__", "workloads.vectors.agent.__main__"),
    "milvus": ("workloads.vectors.engine",),
    "training": ("workloads.training.__main__", "workloads.training.launch"),
    "ingest": ("workloads.vectors.ingest.__main__",),
}
"""What pods run, by image."""


def file_of(module: str) -> Path | None:
    """The file of one of our modules or packages, relative; None for others', and for names in a module."""
    path = Path(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in found if (REPOSITORY / file).is_file()), None)


def imports(file: Path) -> Iterator[str]:
    """Names of the modules that a file imports when it runs; of `from a import b` both, b may be one."""
    tree = ast.parse((REPOSITORY / file).read_text())
    only_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed(modules: tuple[str, ...]) -> set[Path]:
    """Our files that these import, whatever the way, with those of the packages that they are in."""
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        file = file_of(module)
        if file is None or file in found:
            continue
        found.add(file)
        waiting += [*imports(file), *filter(None, [module.rpartition(".")[0]])]
    return found


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_an_image_holds_what_its_programs_import(recipe: Recipe) -> None:
    held = {path.relative_to(REPOSITORY) for pattern in recipe.code for path in REPOSITORY.glob(pattern)}
    wanted = needed(PROGRAMS[recipe.name])
    assert len(wanted) > 1
    assert sorted(map(str, wanted - held)) == []
