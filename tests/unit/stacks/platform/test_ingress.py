"""An ingress is the only way in where there is one, and keeps to what every pod of ours keeps to."""

from dataclasses import replace

import pytest

from operators.children import Manifest
from stacks.platform import ingress
from stacks.platform.ingress import Ingress
from stacks.platform.manifests import manifests, upstreams, way_in
from tests.policy import violations
from tests.unit.stacks.platform.test_manifests import PLATFORM

INGRESS = Ingress("home.internal", 30443, upstreams({"wiki": "wiki.ml.svc:8080"}))
BEHIND = replace(PLATFORM, ingress=INGRESS, images={**PLATFORM.images, "ingress": "localhost/homespun-ingress:1"})


@pytest.mark.parametrize("manifest", way_in(BEHIND, "PEM"), ids=lambda one: one["kind"])
def test_an_object_keeps_to_the_policy(manifest: Manifest) -> None:
    assert violations(manifest) == []


def test_where_there_is_none_there_is_nothing_of_it() -> None:
    assert way_in(PLATFORM, "") == []


def test_behind_an_ingress_nothing_else_has_a_port_on_the_machines() -> None:
    services = [one for one in (*manifests(BEHIND), *way_in(BEHIND, "PEM")) if one["kind"] == "Service"]
    ports = {one["metadata"]["name"]: one["spec"]["ports"][0].get("nodePort") for one in services}
    assert {name: port for name, port in ports.items() if port} == {"ingress": 30443}


def test_clients_are_told_the_names() -> None:
    assert BEHIND.gateway_url == "https://models.home.internal:30443"
    assert BEHIND.vectors_url == "https://vectors.home.internal:30443"
    assert BEHIND.page_url == "https://cloud.home.internal:30443/"


def test_each_name_leads_to_its_service() -> None:
    routes = ingress.config(INGRESS)["apps"]["http"]["servers"]["names"]["routes"]
    led = {one["match"][0]["host"][0]: one["handle"][0]["upstreams"][0]["dial"] for one in routes if "match" in one}
    assert led == {
        "models.home.internal": "inference-gateway.homespun-system.svc:80",
        "vectors.home.internal": "vectors-gateway.homespun-system.svc:80",
        "cloud.home.internal": "page.homespun-system.svc:80",
        "wiki.home.internal": "wiki.ml.svc:8080",
    }


def test_another_configuration_or_authority_is_another_pod() -> None:
    def digest(of: Ingress, authority: str) -> str:
        rendered = ingress.manifests(of, "s", "i:1", authority)
        deployment = next(one for one in rendered if one["kind"] == "Deployment")
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["homespun.dev/read"])

    assert digest(INGRESS, "a") == digest(INGRESS, "a")
    assert (
        len({digest(INGRESS, "a"), digest(INGRESS, "b"), digest(replace(INGRESS, domain="other.internal"), "a")}) == 3
    )
