"""How the files of a source come to Spark's workers."""

from pathlib import Path

from workloads.vectors.ingest.source import Source
from workloads.vectors.ingest.spark import LEAST_PART_BYTES, dealt

MEBI = 2**20


def source(folder: Path, *sizes: int) -> Source:
    files = [folder / f"{number:03}.jsonl" for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        with file.open("wb") as out:
            out.truncate(size)
    return Source({file: file.name for file in files})


def test_a_large_file_before_many_small_ones_is_dealt_to_all_workers(tmp_path: Path) -> None:
    shares = dealt(source(tmp_path, 200 * MEBI, *[1000] * 300), 4)
    sizes = [sum(part.end - part.begin for part in share) for share in shares]
    assert sum(sizes) == 200 * MEBI + 300_000
    assert len(sizes) >= 4
    assert max(sizes) <= 32 * MEBI + 300_000


def test_a_file_of_some_size_is_read_by_all_workers(tmp_path: Path) -> None:
    assert [len(share) for share in dealt(source(tmp_path, 8 * MEBI), 4)] == [1, 1, 1, 1]


def test_a_small_source_is_one_share_and_an_empty_one_too(tmp_path: Path) -> None:
    assert [len(share) for share in dealt(source(tmp_path, LEAST_PART_BYTES // 2), 4)] == [1]
    assert dealt(source(tmp_path, 0), 4) == [[]]
