"""Who asks for an environment that is not up is told of those that are."""

from pathlib import Path

import pytest

from cli.errors import not_up
from cli.kubectl import kubeconfig, write_secret


def test_what_is_up_is_named_beside_what_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    assert str(not_up("lab")).endswith(f"found nothing of it in {tmp_path}; run `make up` first")
    for name in ("home", "lab3"):
        write_secret(kubeconfig(name), "")
    assert f"found nothing of it in {tmp_path} (up are STACK=home, STACK=lab3);" in str(not_up("lab"))
