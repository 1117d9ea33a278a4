# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests of the IPVS core share: random tables, and a kernel that is a dictionary."""

from __future__ import annotations

import errno
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence

from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import model
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Failure, Ipvs
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    InvalidValue,
    RealServer,
    RealServerKey,
    RealServerPatch,
    ServiceKey,
    ServicePatch,
    Settings,
    SettingsPatch,
    Table,
    VirtualService,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.plan import ADD, REMOVE, SET, Operation

# Few values each, so that two random tables have entries in common.
_ADDRESSES = {
    model.AF_INET: [model.pack_address(f"192.0.2.{number}") for number in (1, 2, 10)],
    model.AF_INET6: [model.pack_address(f"2001:db8::{number:x}") for number in (1, 2, 10)],
}
_SERVICE_KEYS = [
    ServiceKey(mark, family, 0, b"", 0) for mark in (1, 2**32 - 1) for family in (model.AF_INET, model.AF_INET6)
] + [
    ServiceKey(0, family, protocol, address, port)
    for family in (model.AF_INET, model.AF_INET6)
    for protocol in model.PROTOCOLS.values()
    for address in _ADDRESSES[family][:2]
    for port in (0, 80)
]


@functools.cache
def _settings_for(key: ServiceKey) -> list[Settings]:
    """Every kind of settings that a service may have."""
    masks = [0, 0xFF00FF00, 0xFFFFFFFF] if key.family == model.AF_INET else [1, 64, 128]
    return sorted(
        {
            Settings(scheduler, flags, timeout, mask, engine if timeout else "", one_packet).normalised(key.family)
            for scheduler in ("rr", "sh", "mh", "newer_one")
            for flags in (0, 0x08, 0x30, 0x38)
            for timeout in ([1, 300] if not key.fwmark and not key.port else [0, 1, model.MAX_PERSISTENCE_TIMEOUT])
            for mask in masks
            for engine in ("", "sip")
            for one_packet in ([False, True] if key.fwmark or key.protocol == model.UDP else [False])
        }
    )


@functools.cache
def _servers_for(service: ServiceKey) -> list[tuple[RealServerKey, RealServer]]:
    """Every kind of real server that a service may have."""
    servers = set()
    for method in (model.NAT, model.LOCAL, model.TUN, model.DR):
        families = [model.AF_INET, model.AF_INET6] if method == model.TUN else [service.family]
        ports = [1, 65535] if method in (model.NAT, model.LOCAL) else [model.default_port(service)]
        for family, port, weight in itertools.product(families, ports, (0, 1, model.MAX_WEIGHT)):
            for upper, lower in ((0, 0), (5, 5), (model.MAX_THRESHOLD, 0)):
                for kind, checksum in itertools.product(range(3), range(3)):
                    server = RealServer(method, weight, upper, lower, kind, 6080, checksum).normalised()
                    servers |= {(RealServerKey(family, address, port), server) for address in _ADDRESSES[family]}
    return sorted(servers)


@st.composite
def tables(draw: st.DrawFn) -> dict[ServiceKey, VirtualService]:
    """Tables that the modules accept, with every attribute."""
    table = {}
    for key in draw(st.lists(st.sampled_from(_SERVICE_KEYS), max_size=4, unique=True)):
        servers = draw(st.lists(st.sampled_from(_servers_for(key)), max_size=4))
        table[key] = VirtualService(draw(st.sampled_from(_settings_for(key))), dict(servers))
    return table


def as_patches(table: Table) -> list[ServicePatch]:
    """The description of exactly this table."""
    return [
        ServicePatch(
            key,
            SettingsPatch(*service.settings),
            {server: RealServerPatch(*value) for server, value in service.real_servers.items()},
        )
        for key, service in table.items()
    ]


class FakeKernel(Ipvs):
    """IPVS as a dictionary, as strict as the kernel: an operation that does not fit fails with its errno.

    ``sent`` are the operations that arrived; ``refuse`` returns an errno for operations that are to fail, else 0;
    ``before_apply`` is called with the table before each batch, as another writer that comes in between.
    """

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table: dict[ServiceKey, VirtualService] = dict(table)
        self.sent: list[Operation] = []
        self.refuse: Callable[[Operation], int] = lambda _operation: 0
        self.before_apply: Callable[[dict[ServiceKey, VirtualService]], None] = lambda _table: None

    def read(self, wanted: Callable[[ServiceKey], bool] | None = None) -> Table:
        return {key: service for key, service in self.table.items() if wanted is None or wanted(key)}

    def surely_holds(self, operations: Iterable[Operation], predicted: Table) -> bool:
        return False  # there are no bytes to compare

    def apply(self, operations: Sequence[Operation], sent: list[Operation]) -> list[Failure]:
        self.before_apply(self.table)
        building = [operation for operation in operations if operation.verb != REMOVE]
        removing = [operation for operation in operations if operation.verb == REMOVE]
        assert [*building, *removing] == list(operations)
        return self._chunk(building, sent) or self._chunk(removing, sent)

    def _chunk(self, operations: Iterable[Operation], sent: list[Operation]) -> list[Failure]:
        failures = []
        sent.extend(operations)
        for operation in operations:
            self.sent.append(operation)
            code = self.refuse(operation) or self._execute(operation)
            if code:
                failures.append(Failure(operation, code))
        return failures

    def _execute(self, operation: Operation) -> int:
        service = self.table.get(operation.service)
        if operation.server_key is None:
            if (service is None) != (operation.verb == ADD):
                return errno.EEXIST if service else errno.ESRCH
            if operation.verb == REMOVE:
                del self.table[operation.service]
            else:
                assert operation.settings is not None
                servers = service.real_servers if service else {}
                self.table[operation.service] = VirtualService(operation.settings, servers)
            return 0
        if service is None:
            return errno.ESRCH
        servers = dict(service.real_servers)
        if (operation.server_key in servers) == (operation.verb == ADD):
            return errno.EEXIST if operation.verb == ADD else errno.ENOENT
        if operation.verb == REMOVE:
            del servers[operation.server_key]
        else:
            assert operation.server is not None
            assert operation.verb in (ADD, SET)
            servers[operation.server_key] = operation.server
        self.table[operation.service] = VirtualService(service.settings, servers)
        return 0


def refused(call: Callable[[], object]) -> str:
    """The message of the InvalidValue that a call raises."""
    try:
        call()
    except InvalidValue as error:
        return str(error)
    raise AssertionError("was accepted")
