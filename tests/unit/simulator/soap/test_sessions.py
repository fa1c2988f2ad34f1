"""Sessions: login, logout, expiry, and who may call what."""

from typing import Any

import pytest
from pyVim.connect import SmartConnect, VimSessionOrientedStub
from pyVmomi import vim, vmodl

from app.simulator.spec import UserSpec
from tests.unit.simulator.soap.lab import ADMIN, READER, Lab, reference, vm_filter


def log_in(instance: Any, password: str = ADMIN.password) -> Any:
    return instance.content.sessionManager.Login(ADMIN.name, password, None)


def test_login_tells_who_is_logged_in(lab: Lab) -> None:
    with lab.client() as instance:
        current = instance.content.sessionManager.currentSession
        assert current.userName == ADMIN.name
        assert current.ipAddress == "127.0.0.1"


def test_wrong_password_is_refused_and_seen_in_the_events(lab: Lab) -> None:
    with lab.anonymous() as instance, pytest.raises(vim.fault.InvalidLogin):
        log_in(instance, "wrong")
    assert isinstance(lab.world.events.latest(), vim.event.BadUsernameSessionEvent)


def test_unknown_account_is_refused_like_a_wrong_password(lab: Lab) -> None:
    with lab.anonymous() as instance, pytest.raises(vim.fault.InvalidLogin):
        instance.content.sessionManager.Login("nobody", "right", None)


def test_a_session_that_is_logged_in_cannot_log_in_again(lab: Lab) -> None:
    with lab.client() as instance, pytest.raises(vim.fault.InvalidLogin):
        log_in(instance)


def test_account_names_ignore_case(lab: Lab) -> None:
    with lab.anonymous() as instance:
        session = instance.content.sessionManager.Login(ADMIN.name.upper(), ADMIN.password, None)
        assert session.userName == ADMIN.name


def test_without_login_only_the_content_can_be_read(lab: Lab) -> None:
    with lab.anonymous() as instance:
        assert instance.content.about.apiType == "VirtualCenter"
        assert instance.content.sessionManager.currentSession is None
        with pytest.raises(vim.fault.NotAuthenticated) as caught:
            instance.CurrentTime()
        assert caught.value.privilegeId == "System.View"


def test_without_login_nobody_learns_which_objects_exist(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.anonymous() as instance:
        for moid in ("vm-1", "vm-999"):
            with pytest.raises(vim.fault.NotAuthenticated):
                assert reference(vim.VirtualMachine, moid, instance).name


def test_logout_ends_the_session(lab: Lab) -> None:
    with lab.client() as instance:
        instance.content.sessionManager.Logout()
        with pytest.raises(vim.fault.NotAuthenticated):
            instance.CurrentTime()
    assert isinstance(lab.world.events.latest(), vim.event.UserLogoutSessionEvent)


def test_a_session_dies_when_nobody_uses_it_for_half_an_hour(lab: Lab) -> None:
    with lab.client() as instance:
        lab.clock.turned_s += 1790
        instance.CurrentTime()
        lab.clock.turned_s += 1790
        instance.CurrentTime()
        lab.clock.turned_s += 1810
        with pytest.raises(vim.fault.NotAuthenticated):
            instance.CurrentTime()


def test_expired_sessions_can_log_in_again_on_the_same_connection(lab: Lab) -> None:
    with lab.client() as instance:
        lab.world.faults.expire_sessions()
        with pytest.raises(vim.fault.NotAuthenticated):
            instance.CurrentTime()
        log_in(instance)
        assert instance.CurrentTime() is not None


def test_session_oriented_stub_of_pyvmomi_logs_in_again_by_itself(lab: Lab) -> None:
    stub = lab.stub()
    login = VimSessionOrientedStub.makeUserLoginMethod(ADMIN.name, ADMIN.password)
    instance = vim.ServiceInstance("ServiceInstance", VimSessionOrientedStub(stub, login, retryDelay=0))
    assert instance.CurrentTime() is not None
    lab.world.faults.expire_sessions()
    assert instance.CurrentTime() is not None
    stub.DropConnections()


def test_what_a_session_made_ends_with_it(lab: Lab) -> None:
    with lab.client() as first, lab.client() as second:
        content = first.content
        view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            assert reference(vim.view.ContainerView, view._moId, second).view
        lab.world.faults.expire_sessions()
        log_in(first)
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            assert view.view


def test_sessions_of_others_can_be_listed_and_ended(lab: Lab) -> None:
    with lab.client() as mine, lab.client() as other:
        manager = mine.content.sessionManager
        key = other.content.sessionManager.currentSession.key
        assert key in [session.key for session in manager.sessionList]
        assert manager.SessionIsActive(key, ADMIN.name)
        manager.TerminateSession([key])
        assert not manager.SessionIsActive(key, ADMIN.name)
        with pytest.raises(vim.fault.NotAuthenticated):
            other.CurrentTime()
        with pytest.raises(vmodl.fault.InvalidArgument):
            manager.TerminateSession([manager.currentSession.key])
        with pytest.raises(vim.fault.NotFound):
            manager.TerminateSession([key])


def test_a_clone_ticket_logs_one_other_connection_in(lab: Lab) -> None:
    with lab.client() as first, lab.anonymous() as second, lab.anonymous() as third:
        ticket = first.content.sessionManager.AcquireCloneTicket()
        assert second.content.sessionManager.CloneSession(ticket).userName == ADMIN.name
        assert second.CurrentTime() is not None
        with pytest.raises(vim.fault.InvalidLogin):
            third.content.sessionManager.CloneSession(ticket)


def test_a_missing_privilege_is_named_with_the_object(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client(READER) as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        assert vm.name == "web-01"
        with pytest.raises(vim.fault.NoPermission) as caught:
            vm.CreateSnapshot_Task("s", None, False, False)
        assert caught.value.privilegeId == "VirtualMachine.State.CreateSnapshot"
        assert caught.value.object == vim.VirtualMachine("vm-1")


def test_a_property_that_needs_a_privilege_is_missing_with_its_reason(lab: Lab) -> None:
    with lab.client(READER) as instance:
        manager = instance.content.sessionManager
        spec = vmodl.query.PropertyCollector.FilterSpec(
            objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=manager)],
            propSet=[
                vmodl.query.PropertyCollector.PropertySpec(
                    type=vim.SessionManager, pathSet=["sessionList", "defaultLocale"]
                )
            ],
        )
        (content,) = instance.content.propertyCollector.RetrieveContents([spec])
        assert [prop.name for prop in content.propSet] == ["defaultLocale"]
        assert content.missingSet[0].path == "sessionList"
        assert isinstance(content.missingSet[0].fault, vim.fault.NoPermission)


def test_privileges_can_be_asked_for_before_they_are_needed(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client(READER) as instance:
        content = instance.content
        key = content.sessionManager.currentSession.key
        asked = ["VirtualMachine.State.CreateSnapshot", "System.Read"]
        manager = content.authorizationManager
        (answer,) = manager.HasPrivilegeOnEntities([vm.ref], key, asked)
        assert {answered.privId: answered.isGranted for answered in answer.privAvailability} == {
            asked[0]: False,
            asked[1]: True,
        }
        assert manager.HasPrivilegeOnEntity(vm.ref, key, asked) == [False, True]
        (admin,) = manager.HasUserPrivilegeOnEntities([vm.ref], ADMIN.name, asked)
        assert all(answered.isGranted for answered in admin.privAvailability)


def test_roles_and_permissions_can_be_read(lab: Lab) -> None:
    with lab.client() as instance:
        manager = instance.content.authorizationManager
        roles = {role.roleId: role for role in manager.roleList}
        permissions = {permission.principal: permission.roleId for permission in manager.RetrieveAllPermissions()}
        assert "VirtualMachine.State.CreateSnapshot" in roles[permissions[ADMIN.name]].privilege
        assert "VirtualMachine.State.CreateSnapshot" not in roles[permissions[READER.name]].privilege


def test_many_clients_are_served_at_once(lab: Lab) -> None:
    for number in range(5):
        lab.add_vm(f"vm-{number}")
    clients: list[Any] = []
    try:
        clients.extend(
            SmartConnect(
                host="127.0.0.1",
                port=lab.server.port,
                user=ADMIN.name,
                pwd=ADMIN.password,
                sslContext=lab.client_context(),
            )
            for _ in range(12)
        )
        for instance in clients:
            content = instance.content
            view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
            found = content.propertyCollector.RetrieveContents([vm_filter(view, ["name"])])
            assert len(found) == 5
        assert len(lab.world.sessions.all()) == 12
    finally:
        for instance in clients:
            instance._stub.DropConnections()


def test_passwords_stay_out_of_representations(lab: Lab) -> None:
    assert "right" not in repr(UserSpec(name="u", password="right"))
    with lab.client():
        assert all(session.cookie not in repr(session) for session in lab.world.sessions.all())
