"""Runs the simulator as a program: ``python -m app.simulator --dir D [--spec demo|large] …``.

It prints one line of JSON when it is ready, and serves until SIGINT or SIGTERM, or until its standard input ends
when it was asked to.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.core.privatefiles import write_private
from app.core.utf8 import assure_utf8, use_utf8_streams
from app.simulator.releases import RELEASES
from app.simulator.server import VSphereSimulator
from app.simulator.spec import Flavour, License, SimulatorSpec, demo_spec, large_spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until asked to stop; return the exit status."""
    options = _parser().parse_args(arguments)
    directory: Path = options.dir.resolve()
    simulator = VSphereSimulator(_spec(options), directory)
    try:
        simulator.start(options.port)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        stop = _stop_on_signals()
        _announce(simulator, directory / "password.txt")
        if options.until_stdin_ends:
            threading.Thread(target=_wait_for_stdin, args=(stop,), daemon=True).start()
        while not stop.wait(0.5):
            # waiting for ever would keep Windows from delivering signals
            continue
    finally:
        simulator.stop()
    return 0


def _announce(simulator: VSphereSimulator, password_file: Path) -> None:
    write_private(password_file, simulator.password.encode())
    facts = {
        "address": simulator.host,
        "port": simulator.port,
        "nfc_port": simulator.nfc_port,
        "thumbprint_sha256": simulator.thumbprint_sha256,
        "certificate_file": str(simulator.certificate_file),
        "user": simulator.user,
        "password_file": str(password_file),
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    return stop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.simulator", description="A vSphere on this machine.")
    parser.add_argument("--dir", type=Path, required=True, help="new or empty directory for its files")
    parser.add_argument("--port", type=int, default=0, help="for SOAP and datastore files; 0 takes a free one")
    parser.add_argument("--spec", choices=("demo", "large"), default="demo", help="which inventory")
    parser.add_argument("--vms", type=int, default=10_000, help="number of VMs of the large inventory")
    parser.add_argument("--flavour", choices=[flavour.value for flavour in Flavour], default=Flavour.VCENTER.value)
    parser.add_argument("--version", choices=tuple(RELEASES), default="8.0.3")
    parser.add_argument(
        "--license", choices=[license.value for license in License], default=License.EVALUATION.value
    )
    parser.add_argument("--seed", type=int, default=1, help="everything random follows from it")
    parser.add_argument("--until-stdin-ends", action="store_true", help="stop when standard input is closed")
    return parser


def _spec(options: argparse.Namespace) -> SimulatorSpec:
    flavour = Flavour(options.flavour)
    if options.spec == "large":
        spec = large_spec(options.vms, version=options.version, seed=options.seed)
    else:
        spec = demo_spec(flavour=flavour, version=options.version, seed=options.seed)
    return replace(spec, license=License(options.license))


def _wait_for_stdin(stop: threading.Event) -> None:
    # not through sys.stdin: its lock must not be held when the interpreter ends
    while os.read(sys.stdin.fileno(), 1 << 16):
        continue
    stop.set()


if __name__ == "__main__":
    assure_utf8()
    use_utf8_streams()
    sys.exit(main())
