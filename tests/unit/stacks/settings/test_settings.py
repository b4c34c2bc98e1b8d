"""What is left out has the values that the shipped file shows; file and engine are read alike."""

import json
from ipaddress import IPv4Network
from pathlib import Path

import yaml

from stacks import settings
from stacks.settings import BaseSettings, GivenPlatform, LabPlatform


def test_the_shipped_lab_has_the_defaults() -> None:
    assert settings.base("lab") == BaseSettings()
    assert settings.platform("lab") == LabPlatform()


def test_the_tests_lab_shares_nothing_with_the_shipped_one() -> None:
    ours, theirs = settings.base("lab"), settings.base("e2e")
    ranges = [ours.lab.range, ours.cluster.pod_range, ours.cluster.service_range]
    others = [theirs.lab.range, theirs.cluster.pod_range, theirs.cluster.service_range]
    assert not [one for one in ranges for other in others if one.overlaps(other)]
    assert {ours.lab.name, ours.lab.bridge}.isdisjoint({theirs.lab.name, theirs.lab.bridge})


def test_an_empty_file_is_the_defaults() -> None:
    assert settings.parse({}, "here", BaseSettings) == BaseSettings()


def test_the_engines_strings_are_read_as_the_file_is() -> None:
    document = yaml.safe_load((settings.FOLDER / "Pulumi.e2e-base.yaml").read_text())["config"]
    as_strings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in document.items()}
    assert settings.from_pulumi(as_strings, "e2e-base") == settings.base("e2e")


def test_pulumis_own_settings_are_let_through() -> None:
    assert settings.parse({"pulumi:disable-default-providers": ["*"]}, "here", BaseSettings) == BaseSettings()


def test_a_range_is_a_network() -> None:
    assert settings.parse({"homespun:lab": {"range": "10.9.0.0/24"}}, "here", BaseSettings).lab.range == IPv4Network(
        "10.9.0.0/24"
    )


def test_a_stacks_name_says_which_settings_it_has() -> None:
    assert isinstance(settings.from_pulumi({}, "home-base"), BaseSettings)
    assert isinstance(settings.from_pulumi({"homespun:pagePort": "30090"}, "home"), LabPlatform)


def test_a_cluster_that_is_there_already_says_how_it_is_reached() -> None:
    config = {
        "homespun:environment": "cluster",
        "homespun:kubeconfig": "~/.kube/config",
        "homespun:context": "mine",
        "homespun:address": "192.168.1.10",
        "homespun:images": {"delivery": "registry", "registry": "registry.example.org/me"},
    }
    found = settings.parse_platform(config, "here")
    assert isinstance(found, GivenPlatform)
    assert found.kubeconfig == Path.home() / ".kube/config"
