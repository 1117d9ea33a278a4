# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Golden machines: booted once for each image, saved, and cloned from then on.

A golden machine has booted, has its caches warm, and has no network card, name, keys or addresses yet. Its memory is a
file: a clone maps it privately (copy on write), so that a clone costs no copying at all to start and clones share what
they do not change. QEMU calls the capability that keeps memory out of the stream `x-ignore-shared`
(qemu/migration/ram.c, ramblock_is_ignored).
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .base import LabError, Progress, home, images_home, locked, run
from .images import Image
from .machine import Accelerator, Machine, kill, qemu_version

# Read what every later command reads, so that a clone finds it in memory: the interpreter, pyroute2, the C library.
WARM = """\
systemctl is-system-running --wait >/dev/null || systemctl --failed --no-legend
python3 -c 'import pyroute2, json, ssl, tempfile, zipfile, subprocess, argparse, logging, uuid, shutil'
ssh -V 2>/dev/null; ip -V >/dev/null
apt-get -qq update
modprobe -a ip_vs ip_vs_rr virtio_net 2>/dev/null; modprobe -r ip_vs_rr ip_vs
for tool in /usr/sbin/ipvsadm /usr/sbin/keepalived /usr/sbin/nginx /usr/sbin/sshd /usr/bin/curl; do
    cat $tool >/dev/null
done
fstrim / 2>/dev/null || :
sync
"""


@dataclass(frozen=True)
class Golden:
    """A saved machine: `disk` (an overlay on the image's), `memory`, `state` (its devices)."""

    image: Image
    folder: Path
    accelerator: Accelerator

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def memory(self) -> Path:
        return self.folder / "memory"

    @property
    def state(self) -> Path:
        return self.folder / "state"


def overlay(disk: Path, backing: Path, form: str) -> None:
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", form, disk])


async def ensure(image: Image, accelerator: Accelerator, progress: Progress) -> Golden:
    """The golden machine of an image, made now if this QEMU and accelerator have none yet."""
    with tempfile.TemporaryDirectory() as nowhere:
        shape = " ".join(Machine("golden", image, Path(nowhere), accelerator).command(Path("m"), True, False))
    key = hashlib.sha256(f"{qemu_version()} {shape.replace(nowhere, '')} {WARM}".encode()).hexdigest()[:8]
    golden = Golden(image, image.folder / f"golden-{accelerator.name}-{key}", accelerator)
    with locked(images_home() / f"{image.recipe.name}.lock"):
        if golden.folder.is_dir():
            return golden
        with tempfile.TemporaryDirectory(dir=image.folder, prefix=".golden-") as scratch:
            part = Golden(image, Path(scratch) / "golden", accelerator)
            part.folder.mkdir()
            with progress.step(f"image {image.recipe.name}: the machine that clones start from ({accelerator.name})"):
                await _make(part)
            part.folder.rename(golden.folder)
    return golden


async def _make(golden: Golden) -> None:
    overlay(golden.disk, golden.image.disk, "raw")
    machine = Machine("golden", golden.image, golden.folder, golden.accelerator)
    machine.start(machine.command(golden.memory, shared=True, incoming=False), None)
    try:
        failed = (await machine.guest(WARM, seconds=600)).strip()
        if failed:
            raise LabError(f"image {golden.image.recipe.name}: units failed in its first boot: {failed}")
        await machine.save(golden.state)
    finally:
        await machine.close()
        kill([machine.process_file])
    for name in ("agent.sock", "qmp.sock", "process"):
        (golden.folder / name).unlink(missing_ok=True)


def accelerator(image: Image, progress: Progress) -> Accelerator:
    """KVM where a guest really runs in it, else TCG.

    That /dev/kvm opens proves nothing: the image's own kernel must get as far as its panic for want of a root disk.
    The answer is kept until the host or its QEMU changes.
    """
    if not Path("/dev/kvm").exists():
        return Accelerator("tcg")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    record = home() / "kvm-probe"
    wanted = f"{boot} {qemu_version()}"
    try:
        known, _space, answer = record.read_text().strip().rpartition(" ")
    except OSError:
        known, answer = "", ""
    if known != wanted:
        with progress.step("does KVM run a guest here?"):
            answer = "kvm" if _kvm_runs(image) else "tcg"
        record.write_text(f"{wanted} {answer}\n")
    return Accelerator(answer)


def _kvm_runs(image: Image, seconds: float = 15) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        console = Path(scratch) / "console"
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc"]
        command += [*Accelerator("kvm").arguments(), "-m", "256", "-serial", f"file:{console}", "-no-reboot"]
        command += ["-kernel", str(image.kernel), "-append", "console=ttyS0 panic=-1"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if console.exists() and b"Kernel panic" in console.read_bytes():
                    return True
                if process.poll() is not None:
                    return console.exists() and b"Kernel panic" in console.read_bytes()
                time.sleep(0.1)
            return False
        finally:
            process.kill()
            process.wait()
