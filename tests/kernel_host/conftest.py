# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host and a neighbour on one link, as two network namespaces, and the modules run in them as Ansible runs them.

The host's /etc and /var/lib are scratch directories mounted over the real ones, in a mount namespace that each command
gets for itself; systemd is played by a script. Needs root. The collection, ansible-core and pyroute2 are on PYTHONPATH.
"""

from __future__ import annotations

import ctypes
import difflib
import ipaddress
import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

# Names of this run alone: another may be going on.
HOST, NEIGHBOUR = f"lvs-t{os.getpid()}-host", f"lvs-t{os.getpid()}-next"
MODULES = "ansible_collections.lvs.cluster.plugins.modules."
SCRATCH = ("etc/sysctl.d", "etc/modprobe.d", "etc/modules-load.d", "etc/systemd/system", "var/lib")
MAC = {HOST: "02:00:00:00:00:01", NEIGHBOUR: "02:00:00:00:00:02"}
CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
ETH_P_ALL = 3

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>"$LVS_SCRATCH/calls"
wants=/etc/systemd/system/multi-user.target.wants
case "$1" in
  enable) mkdir -p $wants && ln -sf "../${3:-$2}" "$wants/${3:-$2}" ;;
  disable) rm -f "$wants/${3:-$2}"; rmdir --ignore-fail-on-non-empty $wants ;;
esac
# what runs has a process in its control group
group=/sys/fs/cgroup/system.slice/${3:-$2}
case "$1 $2" in
  "enable --now"|restart*) mkdir -p "$group" && echo 7 >"$group/cgroup.procs" ;;
  "disable --now"|stop*) rm -rf "$group" ;;
esac
"""


def shell(*command, check=True, **options):
    """Run a command and return its standard output."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if done.returncode and (check or not done.stdout):
        raise AssertionError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


class Result:
    """What a module returned."""

    def __init__(self, text):
        self.raw = json.loads(text)
        self.failed = self.raw.get("failed", False)
        self.message = self.raw.get("msg", "")
        self.changed = self.raw.get("changed")
        diff = self.raw.get("diff", {})
        parts = diff if isinstance(diff, list) else [diff]
        self.before, self.after = ("".join(part.get(key, "") for part in parts) for key in ("before", "after"))
        self.warnings = json.dumps(self.raw.get("warnings", []))  # texts, or dictionaries since ansible-core 2.19

    def diff(self):
        """The lines that a user would see with a sign before them."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=0)
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


class Lab:
    """The two namespaces, and what can be done in them."""

    host, next = HOST, NEIGHBOUR

    def __init__(self, scratch):
        self.scratch = scratch
        for directory in SCRATCH:
            (scratch / directory).mkdir(parents=True)
        for directory in ("bin", "new", "work", "cgroup"):
            (scratch / directory).mkdir()
        for directory in SCRATCH:  # where this machine has nothing to mount over
            if directory.startswith("etc/") and not Path("/", directory).is_dir():
                (scratch / "new" / directory.removeprefix("etc/")).mkdir(parents=True)
        (scratch / "bin/systemctl").write_text(SYSTEMCTL)
        (scratch / "bin/systemctl").chmod(0o755)

    def start(self):
        self.stop()
        for name in (HOST, NEIGHBOUR):
            shell("ip", "netns", "add", name)
            self.ip(name, "link", "set", "lo", "up")
        self.ip(HOST, "link", "add", "link0", "type", "veth", "peer", "name", "link0", "netns", NEIGHBOUR)
        for number, name in ((1, HOST), (2, NEIGHBOUR)):
            self.ip(name, "link", "set", "link0", "address", MAC[name], "up")
            self.ip(name, "address", "add", f"10.9.0.{number}/24", "dev", "link0")
            self.ip(name, "address", "add", f"2001:db8:9::{number}/64", "dev", "link0", "nodad")

    def stop(self):
        for name in {HOST, NEIGHBOUR} & {line.split()[0] for line in shell("ip", "netns", "list").splitlines()}:
            shell("ip", "netns", "delete", name)

    def ip(self, name, *words):
        return shell("ip", "-n", name, *words)

    def _wrapped(self, command, prepare="", systemd=True):
        """A command for the host in its own view of the file system; prepare is shell that runs before it as root."""
        mounts = [
            # what the modules make in /etc itself
            f"mount -t overlay overlay -o lowerdir=/etc,upperdir={self.scratch}/new,workdir={self.scratch}/work /etc",
            *(f"mount --bind {self.scratch}/{directory} /{directory}" for directory in SCRATCH),
            f"mount --bind {self.scratch}/cgroup /sys/fs/cgroup",
        ]
        mounts.append("mount -t tmpfs run /run")
        if systemd:
            mounts.append("mkdir -p /run/systemd/system")
        script = " && ".join([*mounts, prepare or "true", 'exec "$@"'])
        path = f"{self.scratch}/bin:{os.environ['PATH']}"
        return {
            "args": ["ip", "netns", "exec", HOST, "sh", "-c", script, "sh", *command],
            "env": {**os.environ, "PATH": path, "LVS_SCRATCH": str(self.scratch)},
        }

    def run(self, *command, check=True, **options):
        """Run a command on the host and return its standard output."""
        wrapped = self._wrapped(command, **options)
        return shell(*wrapped["args"], env=wrapped["env"], check=check)

    def start_process(self, *command):
        """Start a command on the host, to talk with it."""
        wrapped = self._wrapped(command)
        return subprocess.Popen(
            wrapped["args"], env=wrapped["env"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def module(self, name, /, check_mode=False, prepare="", systemd=True, **arguments):
        """Run a module of the collection on the host."""
        path = self.scratch / "arguments.json"  # on the command line 255 bytes would be the limit
        path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}}))
        command = [sys.executable, "-m", MODULES + name, str(path)]
        return Result(self.run(*command, prepare=prepare, check=False, systemd=systemd))

    def calls(self):
        """The arguments of every call of systemctl until now."""
        path = self.scratch / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def addresses(self):
        """Every address of the host, like "192.0.2.10/32 lo"."""
        lines = self.ip(HOST, "-o", "address", "show").splitlines()
        return {f"{line.split()[3]} {line.split()[1]}" for line in lines if " fe80" not in line}

    def socket(self, name, *arguments):
        """A socket of a namespace."""
        return socket_in(name, *arguments)

    def sysctl(self, key, value=None):
        path = "/proc/sys/" + key
        if value is not None:
            shell("ip", "netns", "exec", HOST, "sh", "-c", f"echo {value} >{path}")
        return shell("ip", "netns", "exec", HOST, "cat", path).strip()

    def sysctls(self):
        """Every sysctl that a task here could change, side effects included."""
        directories = ["/proc/sys/net/ipv4", "/proc/sys/net/ipv6/conf"]
        lines = shell("ip", "netns", "exec", HOST, "grep", "-rs", ".", *directories, check=False).splitlines()
        volatile = ("ip_local_port", "tcp_fastopen_key", "stable_secret", "/neigh/", "tcp_mem", "udp_mem")
        return {line for line in lines if not any(word in line for word in volatile)}

    def tree(self):
        """Files and directories of the host's /etc and /var/lib, with their content."""
        return {
            str(path.relative_to(self.scratch)): path.read_text() if path.is_file() and not path.is_symlink() else ""
            for top in ("etc", "new", "var")
            for path in (self.scratch / top).rglob("*")
            # a directory that /etc has anyway is in the upper layer once something was made in it
            if top != "new" or not ("/etc" / path.relative_to(self.scratch / top)).is_dir()
        }

    def modes(self):
        """The modes of files and directories, as ls shows them; without what the script that plays systemctl makes."""
        return {
            str(path.relative_to(self.scratch)): stat.filemode(path.lstat().st_mode)
            for top in ("etc", "new", "var")
            for path in (self.scratch / top).rglob("*")
            if ".wants" not in str(path)
        }


def socket_in(name, *arguments):
    """A socket that belongs to a namespace; this thread stays in its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return socket.socket(*arguments)
        finally:
            libc.setns(here.fileno(), CLONE_NEWNET)


def bits(mac):
    return bytes.fromhex(mac.replace(":", ""))


class Neighbour:
    """Asks for addresses on the link, and counts who answers."""

    def __init__(self):
        self._socket = socket_in(NEIGHBOUR, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind(("link0", 0))
        self._socket.settimeout(0.002)

    def close(self):
        self._socket.close()

    def ask(self, address):
        """Send one question about an address: ARP, or neighbour solicitations to its group and to the host itself."""
        target = ipaddress.ip_address(address)
        if target.version == 4:
            body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + bits(MAC[NEIGHBOUR]) + bytes([10, 9, 0, 2])
            self._socket.send(b"\xff" * 6 + bits(MAC[NEIGHBOUR]) + b"\x08\x06" + body + b"\0" * 6 + target.packed)
            return
        group = ipaddress.ip_address("ff02::1:ff00:0").packed[:13] + target.packed[13:]
        for mac, destination in ((b"\x33\x33" + group[12:], group), (bits(MAC[HOST]), target.packed)):
            source = ipaddress.ip_address("2001:db8:9::2").packed
            message = struct.pack("!BBHI", 135, 0, 0, 0) + target.packed + b"\x01\x01" + bits(MAC[NEIGHBOUR])
            summed = source + destination + struct.pack("!II", len(message), 58) + message
            total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
            total = (total & 0xFFFF) + (total >> 16)
            message = message[:2] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + message[4:]
            header = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + destination
            self._socket.send(mac + bits(MAC[NEIGHBOUR]) + b"\x86\xdd" + header + message)

    def answers(self):
        """The addresses that answers received by now are about, and those that the host's own requests announce."""
        found: list[str] = []
        while True:
            try:
                frame = self._socket.recv(2048)
            except (TimeoutError, BlockingIOError):
                return found
            if frame[6:12] != bits(MAC[HOST]):
                continue
            if frame[12:14] == b"\x08\x06":  # a reply as well as a request names its sender's address
                found.append(str(ipaddress.ip_address(frame[28:32])))
            elif frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136:
                found.append(str(ipaddress.ip_address(frame[62:78])))

    def hears(self, address, times=3):
        """Whether somebody on the link answers for an address."""
        self.answers()
        for _number in range(times):
            self.ask(address)
            if address in self.answers():
                return True
        return False


class Watch:
    """Asks for addresses in the background, all the time, and keeps every answer about one of them."""

    def __init__(self, neighbour, addresses, control):
        self._neighbour = neighbour
        self._addresses = addresses
        self._control = control
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self.asked = 0
        self.wrong = []
        self.heard_control = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        time.sleep(0.05)
        self._stop.set()
        self._thread.join()

    def _loop(self):
        while not self._stop.is_set():
            for address in (*self._addresses, self._control):
                self._neighbour.ask(address)
            self.asked += 1
            answers = self._neighbour.answers()
            self.wrong += [answer for answer in answers if answer in self._addresses]
            self.heard_control += answers.count(self._control)


@pytest.fixture
def lab(tmp_path):
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.fail("needs root and ip")
    started = Lab(tmp_path)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def neighbour(lab):
    asking = Neighbour()
    yield asking
    asking.close()


@pytest.fixture
def watch(neighbour):
    """Watch(addresses): use it in a with statement, then look at wrong; heard_control shows that the link worked."""
    return lambda *addresses: Watch(neighbour, addresses, "10.9.0.1")


@pytest.fixture
def step_script():
    return str(Path(__file__).with_name("step.py"))
