# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One QEMU machine: its command line, its monitor (QMP) and the guest agent inside it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qemu.qmp import QMPClient, QMPError

from .base import LabError, start_time
from .images import Image

# The library logs every broken connection; here a failed connection is a poll that comes too early.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Accelerator:
    """How the guest's processor is run: `name` is QEMU's (kvm or tcg)."""

    name: str

    def arguments(self) -> list[str]:
        if self.name == "kvm":
            return ["-accel", "kvm", "-cpu", "host"]
        # A plain processor: wide registers and guards of memory are emulated too, and Python starts a tenth faster
        # without them than with -cpu max.
        return ["-accel", "tcg", "-cpu", "Nehalem"]

    def kernel_arguments(self) -> str:
        """What the guest's kernel is told beside KERNEL_ARGUMENTS."""
        # The emulator finds what it has translated by virtual address too, so with a random layout it translates every
        # program anew each time one starts: /bin/true takes 26 ms then, and 5 ms without.
        return "" if self.name == "kvm" else " norandmaps"


# In a small machine the journal would fill the usual /run, a tenth of the memory, and systemd does not read units again
# where less than 16 MB are free there.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet systemd.show_status=0 mitigations=off panic=1"
    " initramfs.runsize=64M"
)


# Fewer system calls for a guest that breaks out of QEMU, which runs as root (qemu(1), -sandbox). QEMU itself has to
# start programs: saved states go through cat.
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,resourcecontrol=deny,spawn=allow"


class Machine:
    """A machine in `folder`, which holds its overlay disk, sockets, console and, once started, its process id."""

    def __init__(self, name: str, image: Image, folder: Path, accelerator: Accelerator) -> None:
        self.name = name
        self.image = image
        self.folder = folder
        self.accelerator = accelerator
        self._monitor: QMPClient | None = None

    def command(self, memory: Path, shared: bool, incoming: bool) -> list[str]:
        """QEMU's command line. `memory` is the file behind the guest's memory: written to if `shared`, else copied on
        write. Devices and their order must be the same where a state is saved and where it is loaded."""
        size = self.image.recipe.memory
        words = ["qemu-system-x86_64", "-name", self.name, "-nodefaults", "-no-user-config", "-display", "none"]
        words += ["-sandbox", SANDBOX]
        words += ["-machine", "pc,memory-backend=ram", *self.accelerator.arguments(), "-m", str(size), "-smp", "1"]
        words += ["-object", f"memory-backend-file,id=ram,size={size}M,mem-path={memory},share={_on(shared)}"]
        words += ["-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd)]
        words += ["-append", KERNEL_ARGUMENTS + self.accelerator.kernel_arguments()]
        # Nothing on the disk outlives the lab, so QEMU may leave the flushing to the host.
        words += ["-drive", f"if=none,id=disk,file={self.folder / 'disk.qcow2'},format=qcow2,cache=unsafe"]
        words += ["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"]
        # A new generation id makes the guest's kernel reseed its random numbers: clones must not share them.
        words += ["-device", "vmgenid,guid=auto"]
        words += [
            "-device",
            "virtio-serial-pci",
            "-chardev",
            f"socket,id=agent,path={self._agent_path},server=on,wait=off",
        ]
        words += ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        words += ["-serial", f"file:{self.folder / 'console.log'}"]
        words += ["-qmp", f"unix:{self._monitor_path},server=on,wait=off"]
        return words + (["-incoming", "defer"] if incoming else [])

    @property
    def _agent_path(self) -> Path:
        return self.folder / "agent.sock"

    @property
    def _monitor_path(self) -> Path:
        return self.folder / "qmp.sock"

    @property
    def process_file(self) -> Path:
        return self.folder / "process"

    def start(self, command: list[str], namespace: Path | None) -> None:
        """Start QEMU, inside a network namespace if one is given, and note the process."""
        words = [*(["nsenter", f"--net={namespace}", "--"] if namespace else []), *command]
        with (self.folder / "qemu.log").open("w") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        # nsenter and QEMU are one process: nsenter calls exec.
        self.process_file.write_text(f"{process.pid} {start_time(process.pid)}\n")
        self.process = process

    async def monitor(self, command: str, **arguments: Any) -> Any:
        """Carry out a QMP command. Raises LabError with QEMU's own words when it fails or is gone."""
        try:
            if self._monitor is None:
                self._monitor = await self._connect(self._monitor_path, greeting=True)
            return await self._monitor.execute(command, arguments or None)
        except QMPError as error:
            raise LabError(f"{self.name}: QEMU: {command}: {error}{self._last_words()}") from error

    def _last_words(self) -> str:
        try:
            text = (self.folder / "qemu.log").read_text().strip()
        except OSError:
            return ""
        return f" ({text.splitlines()[-1]})" if text else ""

    async def _connect(self, path: Path, greeting: bool) -> QMPClient:
        # QEMU makes its sockets a moment after it starts.
        for attempt in range(200):
            client = QMPClient(self.name)
            client.await_greeting = client.negotiate = greeting
            try:
                await client.connect(str(path))
                return client
            except QMPError:
                if attempt == 199 or self.ended():
                    raise
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable")

    def ended(self) -> bool:
        process = getattr(self, "process", None)
        return process is not None and process.poll() is not None

    async def close(self) -> None:
        if self._monitor is not None:
            await self._monitor.disconnect()
            self._monitor = None

    async def load(self, state: Path) -> None:
        """Load a saved state into a machine started with `incoming`, and let it run."""
        await self._share_nothing()
        await self.monitor("migrate-incoming", uri=f"exec:cat {state}")
        for _attempt in range(600):
            status = (await self.monitor("query-status"))["status"]
            if status == "paused":
                break
            await asyncio.sleep(0.05)
        else:
            raise LabError(f"{self.name}: QEMU did not load the saved state, it says {status!r}")
        await self.monitor("cont")

    async def save(self, state: Path) -> None:
        """Stop the machine and save its devices' state; its memory is in its (shared) file already."""
        await self._share_nothing()
        await self.monitor("stop")
        await self.monitor("migrate", uri=f"exec:cat > {state}")
        for _attempt in range(1200):
            status = (await self.monitor("query-migrate")).get("status")
            if status == "completed":
                return
            if status == "failed":
                break
            await asyncio.sleep(0.05)
        raise LabError(f"{self.name}: QEMU did not save the machine's state, it says {status!r}{self._last_words()}")

    async def _share_nothing(self) -> None:
        # Memory stays in its file instead of going through the stream: loading is then a private mapping of that file.
        await self.monitor("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])

    async def plug(self, number: int, tap: str, mac: str) -> None:
        """Plug a network card in, into PCI slot 16 + number, so that a reboot finds it at the same place."""
        await self.monitor("netdev_add", type="tap", id=f"net{number}", ifname=tap, script="no", downscript="no")
        await self.monitor(
            "device_add",
            driver="virtio-net-pci",
            id=f"nic{number}",
            netdev=f"net{number}",
            mac=mac,
            addr=hex(16 + number),
        )

    async def guest(self, script: str, seconds: float = 120) -> str:
        """Run a shell script inside, through the guest agent, and return its output."""
        try:
            return await asyncio.wait_for(self._guest(script), seconds)
        except TimeoutError as error:
            raise LabError(f"{self.name}: the guest agent did not answer within {seconds:.0f} s") from error
        except QMPError as error:
            raise LabError(f"{self.name}: the guest agent: {error}") from error

    async def _guest(self, script: str) -> str:
        agent = await self._connect(self._agent_path, greeting=False)
        try:
            arguments = {
                "path": "/bin/sh",
                "arg": ["-e"],
                "input-data": base64.b64encode(script.encode()).decode(),
                "capture-output": True,
            }
            started: Any = await agent.execute("guest-exec", arguments)
            result: Any = {"exited": False}
            while not result["exited"]:
                result = await agent.execute("guest-exec-status", {"pid": started["pid"]})
                await asyncio.sleep(0.2)
        finally:
            await agent.disconnect()
        output = base64.b64decode(result.get("out-data", "")).decode(errors="replace")
        if result.get("exitcode") != 0:
            complaint = base64.b64decode(result.get("err-data", "")).decode(errors="replace").strip()
            raise LabError(f"{self.name}: a script inside failed with {result.get('exitcode')}: {complaint}")
        return output


def _on(value: bool) -> str:
    return "on" if value else "off"


def qemu_version() -> str:
    done = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def running(process_file: Path) -> int | None:
    """The process that a file names, if it still is that process and runs."""
    try:
        pid, started = (int(word) for word in process_file.read_text().split())
    except (OSError, ValueError):
        return None
    return pid if start_time(pid) == started else None


def kill(process_files: Iterable[Path]) -> None:
    """End the processes that these files name and wait until they are out of the process list."""
    pids = [pid for pid in map(running, process_files) if pid]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    for pid in pids:
        # A child is reaped here; another process by its parent, which may take its time.
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
