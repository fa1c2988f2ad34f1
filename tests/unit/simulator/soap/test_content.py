"""How the two flavours and versions introduce themselves."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import SoapAdapter, VmomiSupport, vim

from app.simulator.releases import RELEASES, Version
from app.simulator.spec import Flavour, License, UserSpec
from tests.unit.simulator.soap.lab import SPEC, Lab, reference

ROOT = UserSpec(name="root", password="right")


@pytest.mark.parametrize("version", list(RELEASES))
@pytest.mark.parametrize(
    ("flavour", "api_type", "product_line", "root_folder"),
    [
        (Flavour.VCENTER, "VirtualCenter", "vpx", "group-d1"),
        (Flavour.ESXI, "HostAgent", "embeddedEsx", "ha-folder-root"),
    ],
)
def test_flavours_and_versions_introduce_themselves(
    tmp_path: Path, version: Version, flavour: Flavour, api_type: str, product_line: str, root_folder: str
) -> None:
    lab = Lab(tmp_path, replace(SPEC, flavour=flavour, version=version, users=(ROOT,)))
    lab.start()
    try:
        with lab.client(ROOT) as instance:
            content = instance.content
            assert content.about.apiType == api_type
            assert content.about.productLineId == product_line
            assert content.about.version == version
            assert content.about.apiVersion == RELEASES[version].api_version
            assert bool(content.about.instanceUuid) == (flavour is Flavour.VCENTER)
            assert content.rootFolder._moId == root_folder
            assert VmomiSupport.versionIdMap[instance._stub.version] == RELEASES[version].api_version
            assert content.sessionManager.currentSession.userName == "root"
            assert content.viewManager.CreateContainerView(content.rootFolder, [], True).view
    finally:
        lab.stop()


def test_content_is_the_same_by_method_and_by_property(lab: Lab) -> None:
    with lab.client() as instance:
        by_method, by_property = instance.RetrieveContent(), instance.content
        assert by_method.propertyCollector == by_property.propertyCollector
        assert by_method.about.instanceUuid == by_property.about.instanceUuid
        assert abs((instance.serverClock - instance.CurrentTime()).total_seconds()) < 60


@pytest.mark.parametrize(
    ("flavour", "expected"), [(Flavour.VCENTER, "nfcService"), (Flavour.ESXI, "ha-nfc-service")]
)
def test_undocumented_content_names_the_nfc_service(tmp_path: Path, flavour: Flavour, expected: str) -> None:
    lab = Lab(tmp_path, replace(SPEC, flavour=flavour, users=(ROOT,)))
    lab.start()
    try:
        with lab.client(ROOT) as instance:
            stub = instance._stub
            info = VmomiSupport.Object(
                name="RetrieveInternalContent",
                wsdlName="RetrieveInternalContent",
                version="vim.version.version1",
                params=(),
                isTask=False,
                result=object,
                resultFlags=0,
                type=vim.ServiceInstance,
            )
            raw = stub.SerializeRequest(reference(vim.ServiceInstance, "ServiceInstance", instance), info, ())
            connection = stub.GetConnection()
            connection.request("POST", "/sdk", raw, {"Cookie": stub.cookie, "SOAPAction": stub.versionId})
            answer = connection.getresponse().read().decode()
            connection.close()
    finally:
        lab.stop()
    assert f'<nfcService type="NfcService">{expected}</nfcService>' in answer
    assert SoapAdapter.XMLNS_SOAPENV in answer


@pytest.mark.parametrize(
    ("license", "edition"),
    [
        (License.EVALUATION, "eval"),
        (License.ENTERPRISE, "esx.enterprisePlus.cpuPackage"),
        (License.FREE, "esxBasic"),
    ],
)
def test_the_license_can_be_read(tmp_path: Path, license: License, edition: str) -> None:
    lab = Lab(tmp_path, replace(SPEC, license=license))
    lab.start()
    try:
        with lab.client() as instance:
            manager = instance.content.licenseManager
            assert manager.licenses[0].editionKey == edition
            assert manager.licensedEdition == edition
            features = [prop.value for prop in manager.licenses[0].properties if prop.key == "feature"]
            assert bool(features) == (license is not License.FREE)
    finally:
        lab.stop()
