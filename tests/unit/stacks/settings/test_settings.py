"""What is left out has the values that the shipped file shows; file and engine are read alike."""

import json
from ipaddress import IPv4Network

import yaml

from stacks import settings
from stacks.settings import BaseSettings


def test_the_shipped_lab_has_the_defaults() -> None:
    assert settings.load("lab-base") == BaseSettings()


def test_the_tests_lab_shares_nothing_with_the_shipped_one() -> None:
    ours, theirs = settings.load("lab-base"), settings.load("e2e-base")
    ranges = [ours.lab.range, ours.cluster.pod_range, ours.cluster.service_range]
    others = [theirs.lab.range, theirs.cluster.pod_range, theirs.cluster.service_range]
    assert not [one for one in ranges for other in others if one.overlaps(other)]
    assert {ours.lab.name, ours.lab.bridge}.isdisjoint({theirs.lab.name, theirs.lab.bridge})


def test_an_empty_file_is_the_defaults() -> None:
    assert settings.parse({}, "here") == BaseSettings()


def test_the_engines_strings_are_read_as_the_file_is() -> None:
    document = yaml.safe_load((settings.FOLDER / "Pulumi.e2e-base.yaml").read_text())["config"]
    as_strings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in document.items()}
    assert settings.from_pulumi(as_strings, "e2e-base") == settings.load("e2e-base")


def test_pulumis_own_settings_are_let_through() -> None:
    assert settings.parse({"pulumi:disable-default-providers": ["*"]}, "here") == BaseSettings()


def test_a_range_is_a_network() -> None:
    assert settings.parse({"homespun:lab": {"range": "10.9.0.0/24"}}, "here").lab.range == IPv4Network("10.9.0.0/24")
