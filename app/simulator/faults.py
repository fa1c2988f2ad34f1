"""The fault script: what a test lets go wrong, and where the simulator's parts ask whether it does.

The upper half of :class:`FaultScript` is for tests, the lower half for the simulator itself.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pyVmomi import vmodl

from app.domain.extents import Extent
from app.simulator.nfc.answers import NfcAnswers
from app.simulator.slowness import RemovalPace, SlowRemoval

FaultFactory = Callable[[], vmodl.MethodFault]
FaultAction = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Interruption:
    """What happens to a connection: it stalls for ``stall_s`` seconds, or, with None, it is dropped."""

    stall_s: float | None
    meanwhile: FaultAction | None = None
    """Done while it stalls; or after it was dropped and before its client can notice."""


@dataclass(slots=True)
class _CallRule:
    method: str
    skip: int
    times: int
    make: FaultFactory


@dataclass(slots=True)
class _DelayRule:
    method: str
    times: int
    seconds: float


@dataclass(slots=True)
class _ByteRule:
    remaining: int
    interruption: Interruption


@dataclass(slots=True)
class _Script:
    calls: list[_CallRule] = field(default_factory=list)
    lost: list[_CallRule] = field(default_factory=list)
    tasks: list[_CallRule] = field(default_factory=list)
    delays: list[_DelayRule] = field(default_factory=list)
    nfc: list[_ByteRule] = field(default_factory=list)
    https: list[_ByteRule] = field(default_factory=list)
    reads: list[_ByteRule] = field(default_factory=list)
    hung: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    omitted: dict[tuple[str, int], list[Extent]] = field(default_factory=dict)
    same_generation: set[str] = field(default_factory=set)
    refusals: dict[str, int] = field(default_factory=dict)
    quiesce_failures: dict[str, int] = field(default_factory=dict)
    slow_removals: dict[str, SlowRemoval] = field(default_factory=dict)
    call_counts: dict[str, int] = field(default_factory=dict)


class FaultScript:
    """Lets things go wrong on purpose.

    Rules for connections count the bytes that the simulator sends from the moment the rule is made, over all
    connections together; each fires once. VMs are named by display name or managed object id, whichever the
    simulator's part asks with.

    Thread: any.

    Attributes:
        nfc: what hosts answer to single requests over NFC.
    """

    def __init__(self) -> None:
        self.nfc = NfcAnswers()
        self._lock = threading.Lock()
        self._released = threading.Condition(self._lock)
        self._script = _Script()
        self._expire: Callable[[], None] = _nothing
        self._renew: Callable[[], None] = _nothing

    def bind(self, *, expire_sessions: Callable[[], None], change_certificate: Callable[[], None]) -> None:
        """Set the two actions that only the running server can do."""
        self._expire, self._renew = expire_sessions, change_certificate

    # ---- for tests -------------------------------------------------------------------------------------

    def fail_call(
        self,
        method: str,
        nth: int = 1,
        fault: vmodl.MethodFault | FaultFactory | None = None,
        times: int = 1,
    ) -> None:
        """Fail calls of a WSDL method, beginning with the nth from now.

        Args:
            method: WSDL name, such as ``CreateSnapshot_Task``; the call itself fails, not its task.
            nth: 1 for the next call.
            fault: an instance, or a function that makes one; default ``vmodl.fault.SystemError``.
            times: how many calls in a row fail.
        """
        with self._lock:
            self._script.calls.append(_CallRule(method, nth - 1, times, _factory(fault)))

    def fail_task(
        self,
        method: str,
        nth: int = 1,
        fault: vmodl.MethodFault | FaultFactory | None = None,
        times: int = 1,
    ) -> None:
        """Fail the tasks of a WSDL method before they do anything, beginning with the nth from now.

        Args:
            method: WSDL name, such as ``CreateSnapshot_Task``; the call goes well and its task fails.
            nth: 1 for the next task.
            fault: an instance, or a function that makes one; default ``vmodl.fault.SystemError``.
            times: how many tasks in a row fail.
        """
        with self._lock:
            self._script.tasks.append(_CallRule(method, nth - 1, times, _factory(fault)))

    def lose_answer(self, method: str, nth: int = 1, times: int = 1) -> None:
        """Do what a WSDL method asks, but cut the connection instead of answering, from the nth call from now."""
        with self._lock:
            self._script.lost.append(_CallRule(method, nth - 1, times, _system_error))

    def delay_call(self, method: str, seconds: float, times: int = 1) -> None:
        """Delay the next calls of a WSDL method."""
        with self._lock:
            self._script.delays.append(_DelayRule(method, times, seconds))

    def drop_nfc(self, after_bytes: int = 0) -> None:
        """Cut an NFC connection once so many bytes were sent."""
        with self._lock:
            self._script.nfc.append(_ByteRule(after_bytes, Interruption(None)))

    def stall_nfc(self, after_bytes: int, seconds: float) -> None:
        """Hold an NFC connection still once so many bytes were sent."""
        with self._lock:
            self._script.nfc.append(_ByteRule(after_bytes, Interruption(seconds)))

    def drop_https(self, after_bytes: int = 0) -> None:
        """Cut an HTTPS datastore download once so many bytes were sent."""
        with self._lock:
            self._script.https.append(_ByteRule(after_bytes, Interruption(None)))

    def halt_reads(self, after_bytes: int, action: FaultAction) -> None:
        """Do something once so many bytes of disks were sent, over NFC and HTTPS together.

        The connection that sent the last of them waits until it is done and keeps its disks open.

        Args:
            after_bytes: counted from now.
            action: such as what another client does; it runs on the connection's thread.
        """
        with self._lock:
            self._script.reads.append(_ByteRule(after_bytes, Interruption(0.0, action)))

    def cut_reads(self, after_bytes: int, meanwhile: FaultAction) -> None:
        """Cut a connection once so many bytes of disks were sent, over NFC and HTTPS together.

        Args:
            after_bytes: counted from now.
            meanwhile: done when the connection has let go of its disks and before its client notices, so that
                the client finds everything as it is afterwards; it runs on the connection's thread.
        """
        with self._lock:
            self._script.reads.append(_ByteRule(after_bytes, Interruption(None, meanwhile)))

    def expire_sessions(self) -> None:
        """Forget every session at once, as if each had been idle for too long."""
        self._expire()

    def change_certificate(self) -> None:
        """Show a new certificate from the next connection on."""
        self._renew()

    def lie_in_cbt(self, vm: str, disk_key: int, extent: Extent) -> None:
        """Leave a range out of every answer of QueryChangedDiskAreas for this disk."""
        with self._lock:
            self._script.omitted.setdefault((vm, disk_key), []).append(extent)

    def keep_cbt_over_revert(self, vm: str) -> None:
        """Keep the change ids of a VM counting over a revert, as if nothing had happened."""
        with self._lock:
            self._script.same_generation.add(vm)

    def fill_datastore(self, name: str) -> None:
        """Make a datastore full: nothing new can be allocated on it."""
        with self._lock:
            self._script.full.add(name)

    def relieve_datastore(self, name: str) -> None:
        """Give a datastore space again."""
        with self._lock:
            self._script.full.discard(name)

    def hang_task(self, method: str) -> None:
        """Hang every task of a WSDL method at its beginning until :meth:`release`."""
        with self._lock:
            self._script.hung.add(method)

    def release(self, method: str | None = None) -> None:
        """Release hung tasks of one method, or all."""
        with self._released:
            self._script.hung = set() if method is None else self._script.hung - {method}
            self._released.notify_all()

    def refuse_consolidation(self, vm: str, times: int = 1) -> None:
        """Fail the next consolidations of a VM, so that its disks need consolidation afterwards."""
        with self._lock:
            self._script.refusals[vm] = times

    def slow_removals(self, vm: str, seconds: float, pace: RemovalPace = RemovalPace.BY_PROGRESS) -> None:
        """Let every removal of a snapshot of a VM, and every consolidation, take long from now on."""
        with self._lock:
            self._script.slow_removals[vm] = SlowRemoval(seconds, pace)

    def fail_quiesce(self, vm: str, times: int = 1) -> None:
        """Fail the next quiesced snapshots of a VM."""
        with self._lock:
            self._script.quiesce_failures[vm] = times

    def clear(self) -> None:
        """Forget every rule and release every hung task."""
        with self._released:
            self._script = _Script(call_counts=self._script.call_counts)
            self.nfc.clear()
            self._released.notify_all()

    def calls(self, method: str) -> int:
        """Return how often a WSDL method was called since the start."""
        with self._lock:
            return self._script.call_counts.get(method, 0)

    # ---- for the simulator's parts ---------------------------------------------------------------------

    def on_call(self, method: str) -> None:
        """Count a call of a WSDL method, and fail it when its turn has come.

        Raises:
            vmodl.MethodFault: the scripted one.
        """
        with self._lock:
            counts = self._script.call_counts
            counts[method] = counts.get(method, 0) + 1
            due = _take_turn(self._script.calls, method)
        if due is not None:
            raise due.make()

    def call_delay_s(self, method: str) -> float:
        """Return how many seconds this call is to wait, 0 mostly."""
        with self._lock:
            for rule in self._script.delays:
                if rule.method == method:
                    rule.times -= 1
                    if not rule.times:
                        self._script.delays.remove(rule)
                    return rule.seconds
        return 0.0

    def on_task(self, method: str) -> None:
        """Fail a task of a WSDL method when its turn has come.

        Raises:
            vmodl.MethodFault: the scripted one.
        """
        with self._lock:
            due = _take_turn(self._script.tasks, method)
        if due is not None:
            raise due.make()

    def loses_answer(self, method: str) -> bool:
        """Return, once per scripted loss, whether the answer to this call is to be lost."""
        with self._lock:
            return _take_turn(self._script.lost, method) is not None

    def nfc_sent(self, n_bytes: int) -> Interruption | None:
        """Count bytes sent over NFC; return what is to happen to this connection now."""
        return self._sent(self._script.nfc, n_bytes)

    def https_sent(self, n_bytes: int) -> Interruption | None:
        """Count bytes of datastore files sent over HTTPS; return what is to happen to this connection now."""
        return self._sent(self._script.https, n_bytes)

    def omitted_extents(self, disk_key: int, *names: str) -> list[Extent]:
        """Return what QueryChangedDiskAreas is to leave out for this disk of the VM with these names."""
        with self._lock:
            return [extent for name in names for extent in self._script.omitted.get((name, disk_key), ())]

    def keeps_cbt_over_revert(self, *names: str) -> bool:
        """Return whether the change ids of the VM with these names are to count on after a revert."""
        with self._lock:
            return not self._script.same_generation.isdisjoint(names)

    def datastore_is_full(self, name: str) -> bool:
        """Return whether nothing new may be allocated on this datastore."""
        with self._lock:
            return name in self._script.full

    def takes_consolidation_refusal(self, *names: str) -> bool:
        """Return, once per scripted refusal, whether this consolidation of the VM is to fail."""
        return self._take(self._script.refusals, names)

    def slowness_of_removals(self, *names: str) -> SlowRemoval | None:
        """Return how long merging the disks of the VM with these names is to take; None: as long as it takes."""
        with self._lock:
            found = [self._script.slow_removals[name] for name in names if name in self._script.slow_removals]
        return found[0] if found else None

    def takes_quiesce_failure(self, *names: str) -> bool:
        """Return, once per scripted failure, whether this quiescing of the VM is to fail."""
        return self._take(self._script.quiesce_failures, names)

    def wait_while_hung(self, method: str, give_up: Callable[[], bool]) -> None:
        """Block while tasks of this method are to hang, until ``give_up`` says that the simulator stops."""
        with self._released:
            while method in self._script.hung and not give_up():
                self._released.wait(0.1)

    def _sent(self, rules: list[_ByteRule], n_bytes: int) -> Interruption | None:
        if not rules and not self._script.reads:
            return None
        with self._lock:
            fired: Interruption | None = None
            for due in (rules, self._script.reads):
                for rule in list(due):
                    rule.remaining -= n_bytes
                    if rule.remaining <= 0 and fired is None:
                        fired = rule.interruption
                        due.remove(rule)
            return fired

    def _take(self, counters: dict[str, int], names: tuple[str, ...]) -> bool:
        with self._lock:
            for name in names:
                if counters.get(name, 0) > 0:
                    counters[name] -= 1
                    return True
            return False


def _take_turn(rules: list[_CallRule], method: str) -> _CallRule | None:
    """Count a call against all rules of its method; return the one whose turn has come, if any."""
    due: _CallRule | None = None
    for rule in [rule for rule in rules if rule.method == method]:
        if rule.skip:
            rule.skip -= 1
        elif due is None:
            due = rule
            rule.times -= 1
            if not rule.times:
                rules.remove(rule)
    return due


def _factory(fault: vmodl.MethodFault | FaultFactory | None) -> FaultFactory:
    return fault if callable(fault) else (lambda: fault or _system_error())


def _system_error() -> vmodl.MethodFault:
    return vmodl.fault.SystemError(msg="A general system error occurred: scripted", reason="scripted")


def _nothing() -> None:
    """Do nothing, until a server is bound."""
