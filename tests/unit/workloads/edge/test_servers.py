"""EndpointSlices become servers: the ready ones, by name of port."""

import pytest
from lightkube.models.discovery_v1 import Endpoint, EndpointConditions, EndpointPort
from lightkube.resources.discovery_v1 import EndpointSlice

from workloads.edge.servers import Server, ServersError, from_slices, parse, render

PORTS = [EndpointPort(name="grpc", port=8001), EndpointPort(name="agent", port=8090)]
SERVER = Server("10.0.0.1", (("agent", 8090), ("grpc", 8001)))


def _slice(*endpoints: Endpoint) -> EndpointSlice:
    return EndpointSlice(addressType="IPv4", endpoints=list(endpoints), ports=PORTS)


def _endpoint(address: str, ready: bool | None = True, terminating: bool = False) -> Endpoint:
    return Endpoint(addresses=[address], conditions=EndpointConditions(ready=ready, terminating=terminating))


def test_a_ready_endpoint_is_a_server() -> None:
    assert from_slices([_slice(_endpoint("10.0.0.1"))]) == (SERVER,)


def test_an_unknown_condition_counts_as_ready() -> None:
    bare = Endpoint(addresses=["10.0.0.1"])
    assert from_slices([_slice(bare)]) == from_slices([_slice(_endpoint("10.0.0.1", None))]) == (SERVER,)


def test_one_that_is_not_ready_is_left_out() -> None:
    assert from_slices([_slice(_endpoint("10.0.0.1", ready=False))]) == ()


def test_one_that_ends_is_used_only_if_no_other_is_left() -> None:
    leaving = _endpoint("10.0.0.2", terminating=True)
    assert from_slices([_slice(_endpoint("10.0.0.1"), leaving)]) == (SERVER,)
    assert [server.host for server in from_slices([_slice(leaving)])] == ["10.0.0.2"]


def test_the_same_endpoint_in_two_slices_is_one_server() -> None:
    assert from_slices([_slice(_endpoint("10.0.0.1")), _slice(_endpoint("10.0.0.1"))]) == (SERVER,)


def test_slices_without_endpoints_or_ports_are_no_servers() -> None:
    assert from_slices([_slice(), EndpointSlice(addressType="IPv4", endpoints=[], ports=None)]) == ()


def test_addresses_are_found_by_the_name_of_the_port() -> None:
    assert SERVER.address("grpc") == "10.0.0.1:8001"
    assert SERVER.address("other") == ""
    assert Server("fd00::1", SERVER.ports).address("agent") == "[fd00::1]:8090"


def test_servers_survive_the_document() -> None:
    assert parse(render((SERVER,))) == (SERVER,)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"servers": [{"host": "a"}]}', '{"servers": [{"ports": 1}]}'])
def test_what_is_no_list_of_servers_is_refused(text: str) -> None:
    with pytest.raises(ServersError):
        parse(text)
