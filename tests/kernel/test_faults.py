# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whichever message of a batch fails, the table afterwards is the table before, and the error names the entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import kernel, netlink, persist
from ansible_collections.lvs.cluster.tests.kernel.conftest import PERSISTED

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.plan import Operation
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

BATCH = 50
VIP = "192.0.2.10"
WEB: dict[str, Any] = {"address": VIP, "port": 80}
# What is there before and has to be there afterwards, with everything that a way back could lose.
BEFORE = """\
-A -t 192.0.2.10:80 -s sh -p 60 -M 255.255.255.0 --pe sip -b sh-port
-a -t 192.0.2.10:80 -r 198.51.100.200:80 -i -w 7 -x 9 -y 3 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 198.51.100.201:80 -m -w 0
-A -f 99 -6 -s mh
-a -f 99 -6 -r [2001:db8::1]:0 -g -w 65535
"""


class Meddler:
    """Another process that changes the table at the worst moments: before the first chunk, the second, ..., and after
    the last one where a command is left then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[Sequence[str]] = []
        chunk, apply = kernel.Ipvs._apply_chunk, kernel.Ipvs.apply

        def meddled_chunk(ipvs: kernel.Ipvs, operations: list[Operation]) -> list[kernel.Failure]:
            self._meddle()
            return chunk(ipvs, operations)

        def meddled_apply(ipvs: kernel.Ipvs, *arguments: Any) -> list[kernel.Failure]:
            failures = apply(ipvs, *arguments)
            if not failures:
                self._meddle()
            return failures

        monkeypatch.setattr(kernel.Ipvs, "_apply_chunk", meddled_chunk)
        monkeypatch.setattr(kernel.Ipvs, "apply", meddled_apply)

    def _meddle(self) -> None:
        if self.commands:
            self.host.run(*self.commands.pop(0))

    def arm(self, host: Host, *commands: Sequence[str]) -> None:
        """From now on."""
        self.host, self.commands = host, list(commands)


@pytest.fixture
def meddler(monkeypatch: pytest.MonkeyPatch) -> Meddler:
    return Meddler(monkeypatch)


def table(host: Host) -> tuple[str, list[str]]:
    return host.save(), host.thresholds()


def batch_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each chunk had."""
    sizes: list[int] = []
    original = netlink.pack

    def measured(operations: Sequence[Operation], family: int, first: int) -> bytes:
        sizes.append(len(operations))
        return original(operations, family, first)

    monkeypatch.setattr(netlink, "pack", measured)
    return sizes


def test_a_scheduler_that_is_missing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.restore(BEFORE)
    before, sizes = table(host), batch_sizes(monkeypatch)
    for bad in range(BATCH):
        services = [
            {"name": f"s{number}", "fwmark": 100 + number, "scheduler": "no_such" if number == bad else "rr"}
            for number in range(BATCH)
        ]
        assert host.failure("ipvs_table", services=services) == (
            f"cannot add virtual service s{bad} (fwmark {100 + bad} ipv4): this kernel has no scheduler no_such, not"
            " even as a module (ENOENT); the table was restored"
        )
        assert table(host) == before
        assert sizes[0] == BATCH
        sizes.clear()


def test_a_bad_destination(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broadcast address of some network: only the kernel can know it.

    Addresses of their own each time: what was removed lies in the kernel's trash for a while, and a destination that is
    revived from there is not checked (ip_vs_trash_get_dest in ip_vs_add_dest).
    """
    host.restore(BEFORE)
    before, sizes = table(host), batch_sizes(monkeypatch)
    for bad in range(1, BATCH + 1):
        servers = [{"address": f"10.0.{bad}.{number}", "port": 80} for number in range(1, BATCH + 1)]
        host.run("ip", "route", "add", "table", "local", "broadcast", f"10.0.{bad}.{bad}", "dev", "lo")
        message = host.failure("ipvs_service", **WEB, real_servers=servers)
        assert message.startswith(f"cannot add real server 10.0.{bad}.{bad}:80 to virtual service tcp {VIP}:80: ")
        assert message.endswith("(EINVAL); the table was restored")
        assert table(host) == before
        assert sizes[0] == BATCH
        sizes.clear()


FIRST_ADDED, FIRST_EDITED, FIRST_REMOVED = 1, 21, 41
OLD = "".join(
    f"-a -t {VIP}:80 -r 198.51.100.{number}:80 -m -w 1\n" for number in range(FIRST_EDITED, FIRST_REMOVED + 10)
)
NEW = "".join(f"-a -t {VIP}:80 -r 198.51.100.{number}:80 -m -w 5\n" for number in range(FIRST_ADDED, FIRST_REMOVED))
SERVICE = f"-A -t {VIP}:80 -s wlc\n"


def command(verb: str, number: int, *options: str) -> Sequence[str]:
    return ["ipvsadm", verb, "-t", f"{VIP}:80", "-r", f"198.51.100.{number}:80", *options]


def verb_of(number: int) -> str:
    return "add" if number < FIRST_EDITED else "edit" if number < FIRST_REMOVED else "remove"


def rebuild(host: Host, rules: str) -> None:
    host.clear()
    host.restore(rules)


def test_a_writer_who_comes_between_once_is_taken_into_account(host: Host, meddler: Meddler) -> None:
    """A batch of 20 additions, 20 edits and 10 removals; the target is reached all the same."""
    for number in range(1, BATCH + 1):
        rebuild(host, SERVICE + OLD)
        verb = verb_of(number)
        meddling = command("-a", number, "-m", "-w", "77") if verb == "add" else command("-d", number)
        # Removals are a chunk of their own, the second one.
        meddler.arm(host, *([["true"]] if verb == "remove" else []), meddling)
        result = host.ok("ipvs_table", rules=SERVICE + NEW, purge="real_servers")
        assert result["changed"]
        assert not meddler.commands
        assert host.save() == SERVICE + NEW


def test_a_writer_who_comes_between_again_and_again(host: Host, meddler: Meddler) -> None:
    """The second attempt fails as well: the table is as it was, and as the writer left the entry."""
    attempts: dict[str, Callable[[int], list[Sequence[str]]]] = {
        "add": lambda number: [command("-a", number, "-m", "-w", "77"), command("-d", number)],
        "edit": lambda number: [command("-d", number), command("-a", number, "-m", "-w", "1")],
    }
    for number in range(1, FIRST_REMOVED):
        rebuild(host, SERVICE + OLD)
        meddler.arm(host, *attempts[verb_of(number)](number))
        message = host.failure("ipvs_table", rules=SERVICE + NEW, purge="real_servers")
        assert f"real server 198.51.100.{number}:80 " in message
        assert message.endswith("the table was restored")
        assert not meddler.commands
        assert host.save() == SERVICE + OLD


def test_a_writer_who_comes_after_the_last_message(host: Host, meddler: Meddler) -> None:
    """The kernel has acknowledged everything, and yet the table is not as planned: the task says where."""
    for number in range(1, BATCH + 1):
        rebuild(host, SERVICE + OLD)
        meddling = command("-a", number, "-m") if verb_of(number) == "remove" else command("-d", number)
        meddler.arm(host, ["true"], ["true"], meddling)
        message = host.failure("ipvs_table", rules=SERVICE + NEW, purge="real_servers")
        assert not meddler.commands
        assert f"real server 198.51.100.{number}:80 " in message
        assert "did not last: another process changes the table" in message


def test_the_service_itself_goes_while_its_real_servers_change(host: Host, meddler: Meddler) -> None:
    rebuild(host, SERVICE + OLD)
    meddler.arm(host, ["ipvsadm", "-D", "-t", f"{VIP}:80"])
    message = host.failure("ipvs_real_server", service=WEB, address="198.51.100.21", weight=9)
    assert "no such virtual service, so it cannot have real servers" in message
    assert message.endswith("nothing was changed")
    assert host.save() == ""


@pytest.mark.usefixtures("_nothing_kept")
@pytest.mark.parametrize("bad", ["RULES_FILE", "ARCHIVE", "UNIT_FILE"])
def test_a_file_that_cannot_be_written_leaves_table_and_files(
    host: Host, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    """A directory is in the place of the file, so its name cannot be taken (rename(2): EISDIR)."""
    host.restore(BEFORE)
    before = table(host)
    path = Path(getattr(persist, bad))
    path.mkdir(parents=True)
    monkeypatch.setattr(persist, "read", lambda name, read=persist.read: None if Path(name).is_dir() else read(name))
    try:
        message = host.failure("ipvs_table", services=[{"fwmark": 5, "scheduler": "rr"}], persist=True)
        assert message == (
            f"cannot keep the IPVS table across reboots: cannot write {path}: Is a directory; the table was restored"
        )
        assert table(host) == before
        assert [one for one in PERSISTED if Path(one).is_file()] == []
    finally:
        path.rmdir()
    assert host.ok("ipvs_table", services=[{"fwmark": 5, "scheduler": "rr"}], persist=True)["changed"]


@pytest.mark.parametrize("silent", [2, 3])
def test_a_read_that_fails_after_a_batch_undoes_it(host: Host, monkeypatch: pytest.MonkeyPatch, silent: int) -> None:
    host.restore(BEFORE)
    before, read, reads = table(host), kernel.Ipvs.read, [0]

    def deaf(ipvs: kernel.Ipvs, wanted: Any = None) -> Any:
        reads[0] += 1
        if reads[0] == silent:
            raise kernel.KernelError("cannot receive from the kernel's IPVS: No buffer space available")
        return read(ipvs, wanted)

    monkeypatch.setattr(kernel.Ipvs, "read", deaf)
    # One is removed, so the table is read again; the scheduler that is missing has the way back read it.
    services = [{"fwmark": 5, "scheduler": "rr" if silent == 2 else "no_such"}]
    message = host.failure("ipvs_table", services=services, purge="all")
    if silent == 2:
        assert message.endswith("No buffer space available; the table was restored")
    monkeypatch.setattr(kernel.Ipvs, "read", read)
    assert table(host) == before
