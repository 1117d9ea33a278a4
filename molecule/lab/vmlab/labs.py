# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs: up, down, status. A running lab is a folder with its topology, its machines' folders and how to reach them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import access, golden, images, network, personal
from .base import (
    LabError,
    Progress,
    labs_home,
    locked,
    need_home_of_our_own,
    need_root,
    need_this_kind_of_machine,
    need_tools,
)
from .golden import Golden, overlay
from .machine import Machine, kill, running
from .recipes import RECIPES
from .topology import Host, Port, Topology

NEEDED = ("qemu-system-x86_64", "qemu-img", "ip", "nsenter", "ssh", "ssh-keygen")


def folder_of(name: str) -> Path:
    return labs_home() / name


def up(topology: Topology, progress: Progress, plain: bool = False) -> Path:
    """Bring a lab up, or find it up; returns its folder. `plain` boots every machine instead of cloning golden ones.

    Whatever goes wrong on the way, an interrupt included, what was started is taken down again.
    """
    need_root()
    need_home_of_our_own()
    need_this_kind_of_machine()
    need_tools(*NEEDED)
    folder = folder_of(topology.name)
    lock = labs_home() / f".{topology.name}.lock"
    with locked(lock):
        if folder.exists():
            if _is_up(topology, folder):
                progress.say(f"        lab {topology.name} is up already")
                return folder
            progress.say(f"        lab {topology.name}: taking down what was left of an earlier one")
            _remove(topology.name)
        goldens = asyncio.run(_goldens(topology, progress, plain))
        if any(source.accelerator.name == "tcg" for source in goldens.values()):
            progress.say("        KVM runs no guest here: machines are emulated (TCG), some 20 times slower")
        begun = time.monotonic()
        try:
            _prepare(topology, folder)
            with progress.step(f"lab {topology.name}: links {', '.join(topology.links)}"):
                network.make(topology)
            asyncio.run(_start(topology, folder, goldens, progress, plain))
        except BaseException:
            _remove(topology.name)
            lock.unlink(missing_ok=True)
            raise
    progress.say(
        f"{time.monotonic() - begun:6.1f} s  lab {topology.name} is up: {', '.join(h.name for h in topology.hosts)}"
    )
    return folder


async def _goldens(topology: Topology, progress: Progress, plain: bool) -> dict[str, Golden]:
    """The golden machine of each image in use; for plain boots only its image, in a Golden without a state."""
    found = {}
    for name in sorted({host.image for host in topology.machines if host.image}):
        image = images.ensure(RECIPES[name], progress)
        accelerator = golden.accelerator(image, progress)
        if plain:
            found[name] = Golden(image, image.folder, accelerator)
        else:
            found[name] = await golden.ensure(image, accelerator, progress)
    return found


def _prepare(topology: Topology, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "topology.json").write_text(json.dumps(dataclasses.asdict(topology), indent=2))
    access.make_key(folder / "id_ed25519", f"lab {topology.name}")
    (folder / "control").mkdir()
    keys = {}
    for host in topology.machines:
        (folder / host.name).mkdir()
        keys[host.name] = access.make_key(folder / host.name / "host_key", host.name)
    access.write(topology, folder, keys)


async def _start(topology: Topology, folder: Path, goldens: dict[str, Golden], progress: Progress, plain: bool) -> None:
    with progress.step(f"lab {topology.name}: {len(topology.machines)} machines"):
        tasks = [
            asyncio.ensure_future(_machine(topology, host, folder, goldens[str(host.image)], progress, plain))
            for host in topology.machines
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()


async def _machine(
    topology: Topology, host: Host, folder: Path, source: Golden, progress: Progress, plain: bool
) -> None:
    begun = time.monotonic()
    place = folder / host.name
    machine = Machine(f"{topology.name}-{host.name}", source.image, place, source.accelerator)
    if plain:
        overlay(place / "disk.qcow2", source.image.disk, "raw")
        command = machine.command(place / "memory", shared=False, incoming=False)
    else:
        overlay(place / "disk.qcow2", source.disk, "qcow2")
        command = machine.command(source.memory, shared=False, incoming=True)
    machine.start(command, network.namespace_path(topology))
    try:
        if not plain:
            await machine.load(source.state)
        cards = network.cards(topology, host)
        key = (folder / "id_ed25519.pub").read_text()
        script = personal.script(host, cards, key, (place / "host_key").read_text())
        await machine.guest(script, seconds=600)
        for number, card in enumerate(cards):
            await machine.plug(number, card.tap, card.mac)
    finally:
        await machine.close()
    await _ssh_answers(folder, host.name)
    progress.say(f"{time.monotonic() - begun:6.1f} s  {host.name} answers SSH")


async def _ssh_answers(folder: Path, host: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while True:
        process = await asyncio.create_subprocess_exec(
            "ssh", "-F", str(folder / "ssh_config"), "-o", "ConnectTimeout=5", host, "true",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        complaint = (await process.communicate())[1].decode(errors="replace").strip()
        if process.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise LabError(f"{host} did not answer SSH within {seconds:.0f} s: {complaint}")
        await asyncio.sleep(0.3)


def _is_up(topology: Topology, folder: Path) -> bool:
    """Whether this very lab runs. Another topology under the name is an error: it may hold somebody's work."""
    try:
        same = read(topology.name) == topology
    except LabError:
        return False
    every = all(running(folder / host.name / "process") for host in topology.machines)
    if every and not same:
        raise LabError(
            f"lab {topology.name} is up with another topology: take it down first, or give this one another name"
        )
    return every and all((Path("/run/netns") / name).exists() for name in network.names(topology))


def read(name: str) -> Topology:
    """The topology of a lab that is up. Raises LabError if there is none of that name."""
    try:
        data = json.loads((folder_of(name) / "topology.json").read_text())
    except FileNotFoundError:
        others = ", ".join(names()) or "none"
        raise LabError(f"no lab named {name!r} is up; up: {others}") from None
    hosts = tuple(_host(entry) for entry in data["hosts"])
    return Topology(data["name"], tuple(data["links"]), hosts)


def _host(entry: dict[str, Any]) -> Host:
    ports = tuple(Port(port["link"], tuple(port["addresses"])) for port in entry["ports"])
    routes = tuple((to, via) for to, via in entry["routes"])
    return Host(entry["name"], entry["image"], ports, routes, tuple(entry["services"]), entry["forward"])


def names() -> list[str]:
    return sorted(path.parent.name for path in labs_home().glob("*/topology.json"))


def down(name: str, progress: Progress) -> None:
    """Take a lab down: no process, namespace, interface or file of it stays. Nothing there is nothing to do."""
    need_root()
    need_home_of_our_own()
    need_tools("ip", "ssh")
    lock = labs_home() / f".{name}.lock"
    with locked(lock):
        if not folder_of(name).exists():
            progress.say(f"        lab {name} is not up")
        else:
            with progress.step(f"lab {name}: down"):
                _remove(name)
    lock.unlink(missing_ok=True)


def _remove(name: str) -> None:
    folder = folder_of(name)
    # Ansible's shared connections would linger for a minute after their machine.
    for control in (folder / "control").glob("*"):
        command = ["ssh", "-o", f"ControlPath={control}", "-O", "exit", "lab"]
        subprocess.run(command, check=False, capture_output=True)
    kill(folder.glob("*/process"))
    if (folder / "topology.json").exists():
        network.remove(read(name))
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue  # a socket that its ssh has removed at this very moment: so there is less to remove each time
        except OSError as error:
            raise LabError(f"lab {name} is down, but {folder} could not be removed: {error}") from None


def status(progress_say: Callable[[str], None]) -> None:
    """Print every lab that is up, with its hosts, their addresses and whether their machine runs."""
    for name in names():
        topology = read(name)
        progress_say(f"lab {name} (links {', '.join(topology.links)})")
        for host in topology.hosts:
            state = "namespace"
            if host.image:
                state = host.image + (", runs" if running(folder_of(name) / host.name / "process") else ", has ended")
            places = "; ".join(f"{port.link} {' '.join(port.addresses)}" for port in host.ports)
            progress_say(f"  {host.name:12} {state:20} {places}")
    if not names():
        progress_say("no lab is up")
