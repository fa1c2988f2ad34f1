"""Whatever a client sends, it gets an answer: nonsense becomes a SOAP fault and never a dead thread."""

import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from xml.etree import ElementTree

import pytest
from pyVmomi import SoapAdapter, VmomiSupport, vim, vmodl

from app.simulator.vmomi import message_of
from tests.support.logguard import LogGuard
from tests.unit.simulator.soap.lab import Lab, one_object, reference

ENVELOPE = (
    '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)


@contextmanager
def connection(lab: Lab) -> Iterator[http.client.HTTPSConnection]:
    with closing(
        http.client.HTTPSConnection("127.0.0.1", lab.server.port, context=lab.client_context(), timeout=20)
    ) as made:
        yield made


def post(lab: Lab, body: str | bytes, action: str = "urn:vim25/8.0.3.0") -> tuple[int, Any]:
    """Send a body and return the status, and the content or the fault of the answer."""
    with connection(lab) as made:
        data = body.encode() if isinstance(body, str) else body
        made.request("POST", "/sdk", data, {"SOAPAction": action, "Content-Type": "text/xml"})
        response = made.getresponse()
        text = response.read()
        expected = vim.ServiceInstanceContent if response.status == 200 else object
        return response.status, SoapAdapter.SoapResponseDeserializer(None).Deserialize(text, expected)


def call(method: str, this: str = '<_this type="ServiceInstance">ServiceInstance</_this>', rest: str = "") -> str:
    return ENVELOPE.format(f'<{method} xmlns="urn:vim25">{this}{rest}</{method}>')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"\xff\xfe\x00",
        b"<a/>",
        ENVELOPE.format("").encode(),
        call("RetrieveServiceContent")[:-20].encode(),
        call("RetrieveServiceContent", this="").encode(),
        call("RetrieveServiceContent", this="<_this>ServiceInstance</_this>").encode(),
        call("RetrieveServiceContent", this='<_this type="Nonsense">x</_this>').encode(),
        call("Login", '<_this type="SessionManager">SessionManager</_this>', "<userName>u</userName>").encode(),
        call("RetrieveServiceContent", rest="<surprise>1</surprise>").encode(),
        call(
            "SetLocale", '<_this type="SessionManager">SessionManager</_this>', "<locale><deep/></locale>"
        ).encode(),
        b'<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]>' + call("RetrieveServiceContent").encode(),
    ],
)
def test_nonsense_is_answered_with_invalid_request(lab: Lab, body: bytes) -> None:
    status, fault = post(lab, body)
    assert status == 500
    assert isinstance(fault, vmodl.fault.InvalidRequest)
    assert message_of(fault).startswith("The request could not be parsed")
    assert post(lab, call("RetrieveServiceContent"))[0] == 200


def test_wrong_values_are_answered_with_invalid_request(lab: Lab) -> None:
    with lab.client() as instance:
        cookie = instance._stub.cookie
        for rest in (
            '<type>VirtualMachine</type><recursive>maybe</recursive><container type="Folder">group-d1</container>',
            '<type>Nonsense</type><recursive>true</recursive><container type="Folder">group-d1</container>',
        ):
            body = call("CreateContainerView", '<_this type="ViewManager">ViewManager</_this>', rest)
            with connection(lab) as made:
                made.request("POST", "/sdk", body.encode(), {"Cookie": cookie})
                assert b"InvalidRequestFault" in made.getresponse().read()


def test_an_unknown_method_is_told_apart_from_an_unsupported_one(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    assert isinstance(post(lab, call("MakeCoffee"))[1], vmodl.fault.MethodNotFound)
    with lab.client() as instance:
        with pytest.raises(vmodl.fault.NotSupported):
            reference(vim.VirtualMachine, vm.moid, instance).QueryConnections()
        with pytest.raises(vmodl.fault.MethodNotFound):
            reference(vim.ManagedEntity, vm.moid, instance)._stub.InvokeMethod(
                vim.ManagedEntity(vm.moid),
                VmomiSupport.GetWsdlMethod("urn:vim25", "RebootHost_Task").info,
                (True,),
            )


def test_a_reference_of_the_wrong_type_refers_to_nothing(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            assert reference(vim.HostSystem, vm.moid, instance).name
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            instance.content.propertyCollector.RetrieveContents([one_object(vim.HostSystem(vm.moid), ["name"])])
        assert reference(vim.ManagedEntity, vm.moid, instance).name == "web-01"


def test_objects_that_do_not_exist_are_named_in_the_fault(lab: Lab) -> None:
    with lab.client() as instance:
        with pytest.raises(vmodl.fault.ManagedObjectNotFound) as caught:
            reference(vim.VirtualMachine, "vm-404", instance).PowerOnVM_Task(None)
        assert caught.value.obj == vim.VirtualMachine("vm-404")


@pytest.mark.parametrize("action", ["urn:vim25/99.0", "urn:vim25/8.0.3.1", '"urn:vim25/9.0.0.0"'])
def test_a_client_newer_than_the_server_is_told_so(lab: Lab, action: str) -> None:
    status, fault = post(lab, call("RetrieveServiceContent"), action)
    assert status == 500
    assert "Unsupported version" in fault.msg


@pytest.mark.parametrize(
    "action", ["", '""', "urn:vim25", "urn:vim25/6.7", '"urn:vim25/8.0.3.0"', "urn:vim25/5.0"]
)
def test_older_and_undecided_clients_are_served(lab: Lab, action: str) -> None:
    status, content = post(lab, call("RetrieveServiceContent"), action)
    assert status == 200
    assert content.about.apiVersion == "8.0.3.0"


def test_arguments_arrive_as_they_were_sent(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        answer = vm.QueryChangedDiskAreas(None, 65536, 5 << 32, "52 aa/7")
        assert (answer.startOffset, answer.length) == (5 << 32, 1 << 40)
        assert [(area.start, area.length) for area in answer.changedArea] == [(5 << 32, 65536), (1 << 33, 65536)]


def test_faults_keep_their_class_and_properties(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        with pytest.raises(vmodl.fault.InvalidArgument) as caught:
            vm.QueryChangedDiskAreas(None, 2000, 0, "stale")
        assert str(caught.value.invalidProperty) == "changeId"
        assert message_of(caught.value) == "stale"


def test_a_bug_of_the_simulator_becomes_a_fault_and_a_log_entry(lab: Lab, log_guard: LogGuard) -> None:
    log_guard.expect("a call failed")
    lab.add_vm("web-01")
    with lab.client() as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        with pytest.raises(vmodl.fault.SystemError, match="bug of the simulator"):
            vm.QueryChangedDiskAreas(None, 2000, 0, "bug")
        assert vm.name == "web-01"


def test_the_version_list_names_the_server_and_its_elders(lab: Lab) -> None:
    with connection(lab) as made:
        made.request("GET", "/sdk/vimServiceVersions.xml")
        root = ElementTree.fromstring(made.getresponse().read())
    assert root.findtext("namespace/version") == "8.0.3.0"
    older = [version.text for version in root.findall("namespace/priorVersions/version")]
    assert {"7.0.3.0", "6.7", "5.5"} <= set(older)
    assert not {"8.0.3.0", "8.0.3.1", "9.0.0.0"} & set(older)


def test_other_paths_are_not_found(lab: Lab) -> None:
    with connection(lab) as made:
        for method, path in (("GET", "/nothing"), ("POST", "/other"), ("HEAD", "/folder"), ("GET", "/folder/x")):
            made.request(method, path, b"" if method == "POST" else None)
            response = made.getresponse()
            response.read()
            assert response.status == 404


def test_a_post_without_a_length_is_refused(lab: Lab) -> None:
    with connection(lab) as made:
        made.putrequest("POST", "/sdk")
        made.endheaders()
        assert made.getresponse().status == 411


def test_an_enormous_post_is_refused_before_it_is_sent(lab: Lab) -> None:
    with connection(lab) as made:
        made.putrequest("POST", "/sdk")
        made.putheader("Content-Length", str(1 << 40))
        made.endheaders()
        assert made.getresponse().status == 413


def test_one_connection_serves_many_calls_quickly(lab: Lab) -> None:
    with lab.client() as instance:
        before = threading.active_count()
        for _ in range(100):
            instance.CurrentTime()
        assert threading.active_count() == before


def test_clients_that_hang_up_or_speak_no_tls_harm_nobody(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    silent = socket.create_connection(("127.0.0.1", lab.server.port))
    with socket.create_connection(("127.0.0.1", lab.server.port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with socket.create_connection(("127.0.0.1", lab.server.port)) as raw:
        context = lab.client_context()
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as secured:
            secured.sendall(b"POST /sdk HTTP/1.1\r\nContent-Length: 500\r\n\r\npartial")
    with lab.client() as instance:
        assert instance.CurrentTime() is not None
    silent.close()
    assert not caplog.records


def test_old_tls_is_refused(lab: Lab) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", lab.server.port)) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(raw)


def test_pyvmomi_of_an_older_version_gets_only_what_it_knows(lab: Lab) -> None:
    with lab.anonymous("vim.version.version10") as instance:
        assert VmomiSupport.versionIdMap[instance._stub.version] == "6.0"
        assert instance.RetrieveContent().about.name == "VMware vCenter Server"
