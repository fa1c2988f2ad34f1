"""The AuthorizationManager: who may do what."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from pyVmomi import VmomiSupport, vim

from app.simulator.calls import Call, places_of
from app.simulator.objects import Lazy
from app.simulator.spec import UserSpec
from app.simulator.wellknown import well_known
from app.simulator.world import World, WorldObject

_ADMIN_ROLE, _FIRST_OWN_ROLE = -1, 101
_SYSTEM_ROLES: tuple[tuple[int, str, str, tuple[str, ...]], ...] = (
    (-5, "NoAccess", "No access", ()),
    (-4, "Anonymous", "Anonymous", ("System.Anonymous",)),
    (-3, "View", "View", ("System.Anonymous", "System.View")),
    (-2, "ReadOnly", "Read-only", ("System.Anonymous", "System.Read", "System.View")),
    (_ADMIN_ROLE, "Admin", "Administrator", ()),
)
_MORE_PRIVILEGES = (
    "Datastore.AllocateSpace",
    "Datastore.Browse",
    "Datastore.DeleteFile",
    "Datastore.FileManagement",
    "Network.Assign",
    "Resource.AssignVMToPool",
    "VApp.ApplicationConfig",
    "VirtualMachine.Config.AddExistingDisk",
    "VirtualMachine.Config.AddNewDisk",
    "VirtualMachine.Config.AddRemoveDevice",
    "VirtualMachine.Config.AdvancedConfig",
    "VirtualMachine.Config.ChangeTracking",
    "VirtualMachine.Config.EditDevice",
    "VirtualMachine.Config.Rename",
    "VirtualMachine.Config.Settings",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.Provisioning.DiskRandomAccess",
    "VirtualMachine.Provisioning.DiskRandomRead",
    "VirtualMachine.Provisioning.GetVmFiles",
)


@cache
def known_privileges() -> tuple[str, ...]:
    """Return every privilege that a method or a property of vim asks for, sorted."""
    found = set(_MORE_PRIVILEGES)
    for name in VmomiSupport.ListManagedTypes():
        if name.startswith("vim."):
            *_, properties, methods = VmomiSupport._managedDefMap[name]
            found.update(info[4] for info in properties or () if info[4])
            found.update(info[5] for info in methods or () if info[5])
    return tuple(sorted(found))


class SimAuthorizationManager(WorldObject):
    """The AuthorizationManager. Privileges hold everywhere: an account has them on all entities or on none."""

    vim_type = vim.AuthorizationManager

    def __init__(self, world: World, moid: str) -> None:
        super().__init__(world, moid, privilegeList=Lazy(_privilege_list), roleList=Lazy(self._role_list))

    def HasPrivilegeOnEntity(self, call: Call, *, entity: Any, sessionId: str, privId: list[str]) -> Any:
        """Return which privileges a session has on an entity."""
        places = places_of(self.world.get(entity))
        answers = [self._holds(sessionId, privilege, places) for privilege in privId]
        return VmomiSupport.GetVmodlType("boolean[]")(answers)

    def HasPrivilegeOnEntities(
        self, call: Call, *, entity: list[Any], sessionId: str, privId: list[str]
    ) -> list[vim.AuthorizationManager.EntityPrivilege]:
        """Return which privileges a session has on entities."""
        found = []
        for ref in entity:
            places = places_of(self.world.get(ref))
            granted = {privilege: self._holds(sessionId, privilege, places) for privilege in privId}
            found.append(self._entity_privilege(ref, granted))
        return found

    def HasUserPrivilegeOnEntities(
        self, call: Call, *, entities: list[Any], userName: str, privId: list[str]
    ) -> list[vim.AuthorizationManager.EntityPrivilege]:
        """Return which privileges an account has on entities.

        Raises:
            vim.fault.NotFound: there is no such account.
        """
        user = self._account(userName)
        granted = {privilege: user.privileges is None or privilege in user.privileges for privilege in privId}
        return [self._entity_privilege(ref, granted) for ref in entities]

    def FetchUserPrivilegeOnEntities(self, call: Call, *, entities: list[Any], userName: str) -> list[Any]:
        """Return all privileges of an account on entities.

        Raises:
            vim.fault.NotFound: there is no such account.
        """
        privileges = list(_privileges_of(self._account(userName)))
        result: Any = vim.AuthorizationManager.UserPrivilegeResult
        return [result(entity=self.world.get(ref).ref, privileges=privileges) for ref in entities]

    def RetrieveEntityPermissions(self, call: Call, *, entity: Any, inherited: bool) -> list[Any]:
        """Return who has which role on an entity; all are given at the root."""
        target = self.world.get(entity)
        root = not target.properties.get("parent")
        return self._permissions() if inherited or root else []

    def RetrieveAllPermissions(self, call: Call) -> list[Any]:
        """Return who has which role anywhere."""
        return self._permissions()

    def RetrieveRolePermissions(self, call: Call, *, roleId: int) -> list[Any]:
        """Return who has a role.

        Raises:
            vim.fault.NotFound: there is no such role.
        """
        if all(role.roleId != roleId for role in self.get("roleList")):
            raise vim.fault.NotFound(msg=f"There is no role {roleId}.")
        return [permission for permission in self._permissions() if permission.roleId == roleId]

    def _holds(self, session_key: str, privilege: str, places: frozenset[str]) -> bool:
        session = self.world.sessions.by_key(session_key)
        if session is None:
            raise vim.fault.NotFound(msg=f"There is no session {session_key}.")
        return session.holds(privilege, places)

    def _entity_privilege(self, ref: Any, granted: dict[str, bool]) -> vim.AuthorizationManager.EntityPrivilege:
        kind: Any = vim.AuthorizationManager.PrivilegeAvailability
        return vim.AuthorizationManager.EntityPrivilege(
            entity=self.world.get(ref).ref,
            privAvailability=[kind(privId=privilege, isGranted=value) for privilege, value in granted.items()],
        )

    def _account(self, name: str) -> UserSpec:
        for user in self.world.spec.users:
            if user.name.casefold() == name.casefold():
                return user
        raise vim.fault.NotFound(msg=f"There is no account {name}.")

    def _role_list(self) -> list[Any]:
        role: Any = vim.AuthorizationManager.Role
        own = [
            role(
                roleId=_FIRST_OWN_ROLE + number,
                system=False,
                name=f"role-{number}",
                info=vim.Description(label=f"Role of {user.name}", summary=""),
                privilege=list(_privileges_of(user)),
            )
            for number, user in enumerate(self.world.spec.users)
            if user.privileges is not None
        ]
        system = [
            role(
                roleId=number,
                system=True,
                name=name,
                info=vim.Description(label=label, summary=label),
                privilege=list(known_privileges() if number == _ADMIN_ROLE else privileges),
            )
            for number, name, label, privileges in _SYSTEM_ROLES
        ]
        return [*system, *own]

    def _permissions(self) -> list[Any]:
        permission: Any = vim.AuthorizationManager.Permission
        root = vim.Folder(well_known(self.world.spec.flavour).rootFolder)
        return [
            permission(
                entity=root,
                principal=user.name,
                group=False,
                roleId=_ADMIN_ROLE if user.privileges is None else _FIRST_OWN_ROLE + number,
                propagate=True,
            )
            for number, user in enumerate(self.world.spec.users)
        ]


def _privileges_of(user: UserSpec) -> Iterable[str]:
    always = ("System.Anonymous", "System.Read", "System.View")
    return known_privileges() if user.privileges is None else sorted({*user.privileges, *always})


def _privilege_list() -> list[Any]:
    privilege: Any = vim.AuthorizationManager.Privilege
    return [
        privilege(
            privId=privilege_id,
            onParent=False,
            name=privilege_id.rpartition(".")[2],
            privGroupName=privilege_id.rpartition(".")[0],
        )
        for privilege_id in known_privileges()
    ]
