# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests against a real IPVS: root, inside a machine that nobody needs, with ipvsadm as the oracle.

Every test runs in a network namespace of its own, and so has a table of its own. What they need: pytest, pyroute2,
ipvsadm, iproute2, and on the Python path the collection and ansible/module_utils with an ansible/__init__.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest.mock
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1  # netdevice(7)
MODULES = "ansible_collections.lvs.cluster.plugins.modules"
PERSISTED = [
    "/etc/systemd/system/multi-user.target.wants/lvs-cluster-ipvs.service",
    "/etc/systemd/system/lvs-cluster-ipvs.service",
    "/usr/local/lib/lvs-cluster/ipvs-restore.pyz",
    "/etc/lvs-cluster/ipvs.timeouts",
    "/etc/lvs-cluster/ipvs.rules",
]


class Host:
    """The machine under test, in the current network namespace."""

    def run(self, *command: str, text: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command that has to succeed."""
        result = self.attempt(*command, text=text, **options)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result

    def attempt(self, *command: str, text: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, **options)

    def restore(self, rules: str) -> None:
        """Build a table with ipvsadm."""
        result = self.run("ipvsadm", "--restore", text=rules)
        assert not result.stderr, result.stderr

    def save(self) -> str:
        """The table as ipvsadm shows it, thresholds left out."""
        return self.run("ipvsadm", "--save", "-n").stdout

    def thresholds(self) -> list[str]:
        """The thresholds as ipvsadm shows them: a line for every real server."""
        listed = self.run("ipvsadm", "-L", "-n", "--thresholds").stdout
        return [" ".join(line.split()[1:4]) for line in listed.splitlines() if line.startswith("  -> ")][1:]

    def clear(self) -> None:
        """Empty the table."""
        self.run("ipvsadm", "--clear")

    def module(self, name: str, /, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module within this process, which saves seconds of imports where processors are slow; its result."""
        main = importlib.import_module(f"{MODULES}.{name}").main
        # A process of its own would start without those of the runs before.
        importlib.import_module("ansible.module_utils.common.warnings")._global_warnings.clear()
        output = io.StringIO()
        arguments["_ansible_check_mode"] = check
        with (
            patch_module_args(arguments),
            unittest.mock.patch.object(gc, "freeze"),  # at its end, which is none here: garbage would stay for ever
            contextlib.redirect_stdout(output),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        gc.enable()  # ipvs_table does without, since its process is a short one
        result: dict[str, Any] = json.loads(output.getvalue())
        assert bool(result.get("failed")) == bool(ended.value.code)
        return result

    def ok(self, name: str, /, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module that has to succeed."""
        result = self.module(name, check, **arguments)
        assert not result.get("failed"), result["msg"]
        return result

    def failure(self, name: str, /, check: bool = False, **arguments: Any) -> str:
        """Run a module that has to fail; its message."""
        result = self.module(name, check, **arguments)
        assert result.get("failed"), result
        return str(result["msg"])

    def process(self, name: str, prefix: Sequence[str] = (), path: str = "", **arguments: Any) -> dict[str, Any]:
        """Run a module as a process, as Ansible does; ``path`` goes before all else on the Python path."""
        environment = dict(os.environ)
        if path:
            environment["PYTHONPATH"] = f"{path}{os.pathsep}{environment.get('PYTHONPATH', '')}"
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
        result = self.attempt(*prefix, sys.executable, "-m", f"{MODULES}.{name}", text, env=environment)
        assert result.stdout, result.stderr
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def unload(self) -> None:
        """Take ip_vs out of the kernel, with all that depends on it."""
        for _try in range(50):
            loaded = [line.split()[0] for line in Path("/proc/modules").read_text().splitlines()]
            ours = [name for name in loaded if name.startswith("ip_vs")]
            if not ours:
                return
            self.attempt("modprobe", "-r", *sorted(ours, reverse=True))
            time.sleep(0.2)  # namespaces of earlier tests go in the background, and hold it until they are gone
        raise AssertionError(f"cannot unload {ours}")


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare came with Python 3.12
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


@pytest.fixture(autouse=True)
def _namespace() -> None:
    _unshare(CLONE_NEWNET)
    # Not with ip: each program that is started costs an emulated machine a good part of a second, and there are many
    # tests.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


@pytest.fixture
def host() -> Host:
    """The machine under test, with ip_vs loaded and an empty table."""
    machine = Host()
    if not Path("/proc/net/ip_vs").exists():
        machine.clear()  # which loads it; the table of a new namespace is empty
    return machine


@pytest.fixture
def _nothing_kept() -> Iterator[None]:
    """Persisted and draining files are the machine's, not the namespace's: none before the test, none after it."""
    _remove_persisted()
    yield
    _remove_persisted()


def _remove_persisted() -> None:
    for path in PERSISTED:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if "lvs-cluster" in os.path.dirname(path):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(path))
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(drain_files.DIRECTORY)  # which the modules make where they are told nothing else


@pytest.fixture
def schedulers(host: Host) -> list[str]:
    """Those of the well-known schedulers that this kernel has."""
    known = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"]
    there = [
        name for name in known if not host.attempt("ipvsadm", "-A", "-f", str(known.index(name) + 1), "-s", name).stderr
    ]
    host.clear()
    assert len(there) >= len(known) - 1, f"this kernel has only {there}"  # twos is not built for every machine
    return there


class RandomTable:
    """A random table as text for ipvsadm --restore, with everything that ipvsadm can set."""

    def __init__(self, seed: int, schedulers: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.schedulers = schedulers
        self.text = "".join(
            f"{line}\n" for service in range(self.random.randint(1, 8)) for line in self._service(service)
        )

    def _address(self, ipv6: bool) -> str:
        number = self.random.randint(1, 254)
        return f"2001:db8:{number:x}::{self.random.randint(1, 65535):x}" if ipv6 else f"198.51.100.{number}"

    def _service(self, number: int) -> Iterator[str]:
        choose = self.random.choice
        ipv6, port, mark = choose([False, True]), choose([0, 80, 443, 65535]), self.random.random() < 0.3
        protocol = choose(["-t", "-u", "--sctp-service"])
        # The number makes it unique.
        vip = f"[2001:db8::{number + 1:x}]" if ipv6 else f"192.0.2.{number + 1}"
        service = f"-f {number + 1}{' -6' if ipv6 else ''}" if mark else f"{protocol} {vip}:{port}"
        line = f"-A {service} -s {choose(self.schedulers)}"
        scheduler = line.rsplit(maxsplit=1)[-1]
        if (not mark and port == 0) or choose([False, True]):
            line += f" -p {self.random.randint(1, 86400 * 31)}"
            if choose([False, True]):
                mask = choose(["255.255.255.0", "255.0.255.0", "0.0.0.0"])
                line += f" -M {self.random.randint(1, 128) if ipv6 else mask}"
        if not mark and protocol == "-u" and choose([False, True]):
            line += f" --pe sip{choose(['', ' -o'])}"
        flags = {"sh": ["sh-fallback", "sh-port"], "mh": ["mh-fallback", "mh-port"]}.get(
            scheduler, ["flag-1", "flag-2", "flag-3"]
        )
        chosen = [flag for flag in flags if choose([False, True])]
        if chosen:
            line += f" -b {','.join(chosen)}"
        yield line
        addresses = sorted({self._address(ipv6) for _server in range(self.random.randint(0, 6))})
        for place, address in enumerate(addresses, 1):
            yield self._server(service, address, place, ipv6, 0 if mark else port)

    def _server(self, service: str, address: str, place: int, ipv6: bool, port: int) -> str:
        choose = self.random.choice
        method = choose(["-m", "-g", "-i"])
        if method == "-i" and choose([False, True]):
            # The other family, and an address that no other real server has.
            address = f"198.51.101.{place}" if ipv6 else f"2001:db8:ffff::{place:x}"
        if method == "-m":
            port = choose([port, 8080])
        line = f"-a {service} -r {f'[{address}]' if ':' in address else address}:{port} {method}"
        line += f" -w {choose([0, 1, 100, 65535])}"
        upper = choose([0, 0, 10, 2**31 - 1])
        if upper:
            line += f" -x {upper} -y {choose([0, upper // 2, upper])}"
        if method == "-i":
            checksum = choose(["--tun-nocsum", "--tun-csum"])
            line += choose(
                [
                    "",
                    " --tun-type ipip",
                    f" --tun-type gre {checksum}",
                    f" --tun-type gue --tun-port {self.random.randint(1, 65535)} {choose([checksum, '--tun-remcsum'])}",
                ]
            )
        return line


@pytest.fixture
def random_table(schedulers: list[str]) -> Any:
    """A function that makes the random table of a seed."""
    return lambda seed: RandomTable(seed, schedulers).text
