"""Whether the server could have its ports."""

import socket

from app.nfs.ports import port_problem
from tests.support.nfs_service import free_port


def test_free_ports_are_no_problem_and_free_again() -> None:
    nfs, portmap = free_port(), free_port()
    assert port_problem(nfs, portmap) is None
    assert port_problem(nfs, portmap) is None


def test_a_port_that_another_program_has_is_named() -> None:
    nfs, portmap = free_port(), free_port()
    with socket.create_server(("127.0.0.1", nfs)):
        problem = port_problem(nfs, portmap)
        assert problem is not None
        assert (problem.code, problem.params["port"]) == ("nfs.port_unavailable", str(nfs))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", portmap))
        problem = port_problem(nfs, portmap)
        assert problem is not None
        assert problem.params["port"] == str(portmap)
