"""Newer peers than this Debian has: packages of a later release, pinned by hash and unpacked, not installed.

The archive is the one that apt already uses here; a later release of a peer may have replaced the pinned one
there, and then the peer is left out.
"""

import hashlib
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Deb:
    """One package file of the archive."""

    program: str
    version: str
    path: str
    sha256: str


DEBS = (
    Deb(
        "restic",
        "0.19.1",
        "pool/main/r/restic/restic_0.19.1-1_amd64.deb",
        "97711c3125b5a65788a7e99fce8eb25f9a543fa8d83c4d7e54a5febe939a0f9e",
    ),
    Deb(
        "desync",
        "1.0.4",
        "pool/main/d/desync/desync_1.0.4-1_amd64.deb",
        "776d84d41f0606133b7aeb0f5b7fb2b2e78be1ca2d25209c20cd8b5d35dcd4e7",
    ),
)
_TIMEOUT_S = 120.0


def unpacked(program: str, cache: Path) -> Path | None:
    """Return the path of a pinned program, fetched now unless it is there; None where it cannot be had."""
    deb = next(deb for deb in DEBS if deb.program == program)
    folder = cache / f"{program}-{deb.version}"
    binary = folder / "usr" / "bin" / program
    if binary.exists():
        return binary
    if shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None:
        print(f"{program} {deb.version} is left out: there are no Debian packages here", flush=True)
        return None
    try:
        content = _fetch(deb)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"{program} {deb.version} is left out: {error}", flush=True)
        return None
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / Path(deb.path).name
    file.write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", str(file), str(folder)], check=True)
    file.unlink()
    return binary


def _fetch(deb: Deb) -> bytes:
    """Return the package, as it was pinned.

    Raises:
        ValueError: no archive of apt has it, or it is another one.
    """
    for archive in _archives():
        try:
            with urllib.request.urlopen(f"{archive.rstrip('/')}/{deb.path}", timeout=_TIMEOUT_S) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError:  # another of apt's archives may have it
            continue
        if hashlib.sha256(content).hexdigest() != deb.sha256:
            raise ValueError("the archive has another file under its name")
        return content
    raise ValueError("the archive does not have it any more")


def _archives() -> list[str]:
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = dict.fromkeys(line.strip() for line in listed.stdout.splitlines())
    return [uri for uri in found if uri.startswith(("http://", "https://"))]
