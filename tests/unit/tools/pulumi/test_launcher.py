"""A stand-in's launcher runs our module, wherever it is called from."""

import subprocess
import sys
from pathlib import Path

from tools.pulumi.install import launcher


def test_it_runs_the_checkouts_module_with_its_arguments_from_any_folder(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "a check'out", tmp_path / "elsewhere"
    for folder, text in ((checkout, "import sys; print('ours', *sys.argv[1:])"), (elsewhere, "print('theirs')")):
        folder.mkdir()
        (folder / "plugin.py").write_text(text)
    command = tmp_path / "launcher"
    command.write_text(launcher(Path(sys.executable), checkout, "plugin"))
    command.chmod(0o755)
    ran = subprocess.run([command, "127.0.0.1:1"], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert ran.stdout == "ours 127.0.0.1:1\n"
