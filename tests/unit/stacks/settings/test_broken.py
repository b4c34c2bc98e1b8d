"""Each wrong settings file is refused, with place, expectation and finding. Its first line is what must be said."""

from pathlib import Path

import pytest

from stacks import settings

BROKEN = sorted((Path(__file__).parent / "broken").glob("Pulumi.*.yaml"))


def stack(path: Path) -> str:
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")


@pytest.mark.parametrize("path", BROKEN, ids=stack)
def test_a_broken_file_is_refused_by_what_is_wrong_in_it(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# ")
    name = stack(path)
    load = settings.base if name.endswith(settings.BASE) else settings.platform
    with pytest.raises(settings.SettingsError) as refused:
        load(name.removesuffix(settings.BASE), path.parent)
    lines = str(refused.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"broken/{path.name}: {expected}")


def test_all_that_is_wrong_is_told_at_once() -> None:
    config = {
        "homespun:lab": {"range": "x", "name": "UPPER", "colour": "red"},
        "homespun:cluster": {"podRange": "y"},
        "other:key": 1,
    }
    with pytest.raises(settings.SettingsError) as refused:
        settings.parse(config, "stacks/Pulumi.lab-base.yaml", settings.LabBase)
    lines = str(refused.value).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("stacks/Pulumi.lab-base.yaml: ") for line in lines)


def test_a_stack_without_settings_is_told_which_have_some() -> None:
    with pytest.raises(settings.SettingsError, match=r"Pulumi.nowhere.yaml: expected a file.* lab,.*`make home`"):
        settings.platform("nowhere")
