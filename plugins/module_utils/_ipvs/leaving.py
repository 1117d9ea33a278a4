# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ipvs_quiesce: drains the real servers that leave the table, before they are removed from it.

A connection whose real server is removed from the table is dropped with the next packet (net/netfilter/ipvs/
ip_vs_core.c, ip_vs_in_hook(): IP_VS_DEST_F_AVAILABLE, expire_nodest_conn). With weight 0 it continues, and only new
ones go to other real servers.

The weights that real servers had are recorded in :data:`RECORD`, before they change. So a real server that is described
again after an interrupted run gets its former weight. Like the kernel's table, the record ends with a reboot.

Real servers that change to direct routing get host routes before they do. IPVS caches one route for each real server of
a service, and uses it for connections of every forwarding method (net/netfilter/ipvs/ip_vs_xmit.c: __ip_vs_get_out_rt).
Only direct routing requires a route that names the next hop (IP_VS_RT_MODE_KNOWN_NH). If a connection of the former
method was first, the route does not name it, and packets of direct routing are sent to their own destination: the VIP,
which no neighbour has. Then new connections fail until all routes are looked up again, and the first connection decides
again.

A host route whose gateway is the real server itself names the next hop for every method, and leads to the same link as
the former route. It stays until the host boots: connections of the former method can last that long. It is lost with
its interface, so the servers are recorded until the boot, and each run adds missing routes.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from .._host import drain_files, network
from .._host.difference import PRESENT, as_dicts, of_value
from .._host.director_state import HEADER, MAX_WRITTEN, written_services
from .._host.errors import HostError
from .._host.files import read_text, write_bytes, write_text
from .._host.process import RunCommand, runner
from .._host.state import ROUTE_PROTOCOL
from .._host.validate import IPAddress, parse_address
from .._host.wait import until
from . import arguments, drain, model, module, persist, readings
from .converge import converge, turn
from .kernel import Ipvs, KernelError
from .model import InvalidValue, RealServerKey, RealServerPatch, ServiceKey, ServicePatch, Table, VirtualService
from .plan import PURGE_NONE

RECORD = "/run/lvs-cluster-leaving.json"
DEFAULT_TIMEOUT = 60.0  # seconds
#: Lost at a boot, like connections.
NEXT_HOPS = "/run/lvs-cluster-next-hops.json"
_FAMILIES = {4: "-4", 6: "-6"}
_METRICS = ("mtu", "advmss", "window", "initcwnd", "initrwnd", "quickack")

Entry = tuple[ServiceKey, RealServerKey]


class Described(NamedTuple):
    """The described table.

    ``services``: the real servers of each service; None for one that keeps its present ones. ``names``: for messages.
    ``ours``: services of an earlier run, which are removed if they are not described.
    """

    services: Mapping[ServiceKey, Collection[RealServerKey] | None]
    names: Mapping[ServiceKey, str]
    ours: Collection[ServiceKey] = ()

    def label(self, service: ServiceKey) -> str:
        """Return the name of a service in messages."""
        return self.names.get(service) or str(service)


class Leaving(NamedTuple):
    """The real servers that leave, and why those of a service cannot be drained."""

    entries: list[Entry]
    undrained: dict[ServiceKey, str]


def leaving(current: Table, described: Described) -> Leaving:
    """Return the entries that are in the table, are not described, and can be drained.

    A service that leaves is drained as a whole. A service that stays must not refuse new connections: it needs another
    real server in service, and a scheduler that skips real servers with weight 0.
    """
    entries: list[Entry] = []
    undrained: dict[ServiceKey, str] = {}
    for service, found in sorted(current.items()):
        if service in described.services:
            listed = described.services[service]
            out = [] if listed is None else [key for key in found.real_servers if key not in listed]
            if drain.in_service(found).intersection(out):
                why = _why_not(found, out)
                if why:
                    undrained[service] = why
                    continue
        elif service in described.ours:
            out = list(found.real_servers)
        else:
            continue
        entries += [(service, key) for key in sorted(out)]
    return Leaving(entries, undrained)


def _why_not(service: VirtualService, out: Collection[RealServerKey]) -> str:
    """Return the reason why these real servers of a service cannot be drained; empty if they can."""
    if not drain.in_service(service).difference(out):
        return "no other real server is in service; to drain these, add others in an earlier run"
    settings = service.settings
    # net/netfilter/ipvs: ip_vs_dh_schedule(), ip_vs_sh_get() and ip_vs_mh_get() return NULL for weight 0.
    if settings.scheduler == "dh" or (
        settings.scheduler in ("sh", "mh") and not settings.scheduler_flags & model.SCHEDULER_FLAG_1
    ):
        flag = "" if settings.scheduler == "dh" else f" without {settings.scheduler}-fallback"
        return f"the scheduler {settings.scheduler}{flag} refuses the clients of a real server with weight 0"
    return ""


def described_again(
    current: Table, weights: Mapping[Entry, int], staying: Callable[[Entry], bool], drained: Collection[bytes]
) -> dict[Entry, int]:
    """Return the weights to restore, of real servers that an earlier run has quiesced and that now stay."""
    found = {}
    for entry, weight in weights.items():
        service, key = entry
        server = current[service].real_servers.get(key) if service in current else None
        if server is not None and not server.weight and staying(entry) and key.address not in drained:
            found[entry] = weight
    return found


def to_patches(weights: Mapping[Entry, int], described: Described) -> list[ServicePatch]:
    """Return patches that give real servers these weights, and change nothing else."""
    found: dict[ServiceKey, dict[RealServerKey, RealServerPatch]] = {}
    for (service, key), weight in weights.items():
        found.setdefault(service, {})[key] = RealServerPatch(weight=weight, only_existing=True)
    return [
        ServicePatch(service, None, servers, name=described.names.get(service, ""))
        for service, servers in found.items()
    ]


def to_direct(current: Table, described: Iterable[ServicePatch], changed: Collection[bytes] = ()) -> set[bytes]:
    """Return the addresses of described real servers that are in the table with another method than direct routing.

    Include those that have ``changed`` before and are described with direct routing.
    """
    return {
        key.address
        for patch in described
        if patch.key in current
        for key, server in (patch.real_servers or {}).items()
        if server.forward_method == model.DR
        and key in current[patch.key].real_servers
        and (key.address in changed or current[patch.key].real_servers[key].forward_method != model.DR)
    }


def render(weights: Mapping[Entry, int]) -> str:
    """Return the text of a record."""
    rows = [
        [*(part.hex() if isinstance(part, bytes) else part for part in (*service, *key)), weight]
        for (service, key), weight in sorted(weights.items())
    ]
    return json.dumps(rows)


def parse(text: str) -> dict[Entry, int]:
    """Return the weights in the text of a record. Raises InvalidValue if it is damaged."""
    try:
        return {
            (
                ServiceKey(int(mark), int(family), int(protocol), bytes.fromhex(vip), int(port)),
                RealServerKey(int(server_family), bytes.fromhex(address), int(server_port)),
            ): int(weight)
            for mark, family, protocol, vip, port, server_family, address, server_port, weight in json.loads(text)
        }
    except (ValueError, TypeError) as error:
        reason = f"{RECORD} is damaged ({error}): remove it"
        raise InvalidValue(RECORD, "record", None, reason, whole=True) from error


def prepare(
    ansible: AnsibleModule, params: module.Result, name: str = "ipvs_quiesce", timeout: str = "timeout"
) -> Callable[[], module.Result]:
    """Return a function that does the work of the module and returns its result. It raises the exceptions of converge.

    ``params`` are the arguments of the module ipvs_quiesce. ``name``, ``timeout``: of the module and of its option for
    the timeout, for messages. Raises InvalidValue, KernelError.
    """
    with _as_sentences():
        run = _Run(ansible, params, name, timeout)

    def work() -> module.Result:
        with _as_sentences():
            return run.result()

    return work


def prepare_absent(ansible: AnsibleModule) -> Callable[[], module.Result]:
    """Return a function like that of `prepare`, for a host that is no longer a director: it removes real servers'
    routes.
    """

    def work() -> module.Result:
        with _as_sentences():
            routes = forget_next_hops(runner(ansible), ansible.check_mode)
        differences = [of_value("route", line, PRESENT, None) for line in routes]
        return {"changed": bool(routes), "routes": routes, "differences": as_dicts(differences)}

    return work


@contextlib.contextmanager
def _as_sentences() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise KernelError(f"{where}{error.strerror or error}") from error
    except HostError as error:
        raise KernelError(str(error)) from error


class _Run:
    def __init__(self, ansible: AnsibleModule, params: module.Result, name: str, timeout: str) -> None:
        self._module = ansible
        self._params = params
        self._timeout: float = params["timeout"]
        if not 0 <= self._timeout <= drain.MAX_TIMEOUT:
            reason = f"must be from 0 to {drain.MAX_TIMEOUT} seconds"
            raise InvalidValue(name, timeout, self._timeout, reason)
        try:
            self._vips = frozenset(model.pack_address(text) for text in params["vips"])
        except ValueError as error:
            raise InvalidValue(name, "vips", params["vips"], str(error)) from None
        own, checked = arguments.services(params["services"]), arguments.services(params["health_checked"])
        arguments.refuse_duplicates([*own, *checked])
        self._patches = [*own, *checked]
        kept = params["purge"] == PURGE_NONE
        self._described = Described(
            {patch.key: None if kept else frozenset(patch.real_servers or {}) for patch in own}
            | {patch.key: frozenset(patch.real_servers or {}) for patch in checked},
            {patch.key: patch.label for patch in [*own, *checked]},
            persist.recorded().keys() | _written(params["keepalived_configuration"]),
        )

    def result(self) -> module.Result:
        check_mode = self._module.check_mode
        with Ipvs(load=False) as ipvs:
            with turn(not check_mode):
                current = ipvs.read(self._concerned)
                direct = recorded_next_hops()
                packed_direct = {model.pack_address(str(one)) for one in direct}
                routes = self._name_next_hops(to_direct(current, self._patches, packed_direct), direct)
                found = leaving(current, self._described) if self._timeout else Leaving([], {})
                serves = self._served() if found.entries or found.undrained else _nothing
                entries = [entry for entry in found.entries if serves(entry[0])]
                former = _read_record()
                out = set(entries)
                back = described_again(
                    current,
                    former,
                    lambda entry: entry not in out and self._stays(entry),
                    drain_files.read(self._params["drain_directory"]),
                )
                quiesced = {
                    (service, key): current[service].real_servers[key].weight
                    for service, key in entries
                    if current[service].real_servers[key].weight
                }
                wanted = {entry: former[entry] for entry in former if entry in out} | quiesced
                if not check_mode:
                    _write_record(wanted | back)
                patches = to_patches({**back, **dict.fromkeys(quiesced, 0)}, self._described)
                outcome = converge(ipvs, patches, check_mode=check_mode)
                if back and not check_mode:
                    _write_record(wanted)
            for service, why in found.undrained.items():
                if serves(service):
                    self._module.warn(
                        f"virtual service {self._described.label(service)}: real servers are removed without being"
                        f" drained, and their connections end: {why}"
                    )
            result: module.Result = {
                "changed": outcome.changed or bool(routes),
                "routes": routes,
                "leaving": [f"{key} of {self._described.label(service)}" for service, key in entries],
                "diff": module.table_diff(outcome),
                "differences": [
                    *module.table_differences(outcome),
                    *as_dicts(of_value("route", line, None, PRESENT) for line in routes),
                ],
            }
            awaited = [entry for entry in entries if entry in quiesced or entry in former]
            if awaited and not check_mode:
                result["waited"] = round(self._wait(ipvs, awaited), 1)
        return result

    def _name_next_hops(self, servers: Collection[bytes], former: Collection[IPAddress]) -> list[str]:
        found = {parse_address(model.address_text(one)) for one in servers}
        if not self._module.check_mode and not found.issubset(former):
            record_next_hops(found.union(former))
        return name_next_hops(runner(self._module), found, self._module.check_mode) if found else []

    def _concerned(self, service: ServiceKey) -> bool:
        return service in self._described.services or service in self._described.ours

    def _stays(self, entry: Entry) -> bool:
        """Return True if it is described, or belongs to a service that keeps its present real servers."""
        service, key = entry
        listed = self._described.services.get(service, ())
        return listed is None or key in listed

    def _served(self) -> Callable[[ServiceKey], bool]:
        """Return a function that is true for services whose connections this host gets now.

        The addresses are read once: each reading opens a connection to the kernel.
        """
        held = packed(network.held_addresses())
        any_vip = not self._vips or not self._vips.isdisjoint(held)
        return lambda service: service.address in held if service.address else any_vip

    def _wait(self, ipvs: Ipvs, entries: Collection[Entry]) -> float:
        """Wait until the connections have ended or the time is over; return the seconds."""
        left: list[str] = []

        def gone() -> bool:
            left[:] = self._with_connections(ipvs, entries)
            return not left

        gc.enable()  # the module director has disabled it, and each look leaves reference cycles of pyroute2
        met, waited = until(gone, self._timeout, time.monotonic, time.sleep)
        if not met:
            self._module.warn(
                f"connections are left after {self._timeout:g} seconds, and end when their real servers are"
                f" removed: {'; '.join(left)}"
            )
        return waited

    def _with_connections(self, ipvs: Ipvs, entries: Collection[Entry]) -> Iterator[str]:
        """Yield sentences about active connections of services that this host still receives.

        Real servers whose weight another process has raised again are skipped.
        """
        for service in filter(self._served(), sorted({service for service, _key in entries})):
            for key, _server, facts in readings.real_servers(ipvs, service):
                if (service, key) in entries and not facts["weight"] and facts["connections"][drain.ACTIVE]:
                    yield f"{key} of {self._described.label(service)} has {drain.remaining(facts)}"


def _nothing(_service: ServiceKey) -> bool:
    return False


def _written(path: str) -> set[ServiceKey]:
    """Return the services in keepalived's configuration, if the role has written it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_WRITTEN)
    except FileNotFoundError:
        return set()
    if not text.startswith(HEADER):
        return set()
    return {arguments.service_key(entry) for entry in written_services(text)}


def _read_record() -> dict[Entry, int]:
    try:
        with open(RECORD, encoding="ascii", errors="replace") as file:
            return parse(file.read())
    except FileNotFoundError:
        return {}


def _write_record(weights: Mapping[Entry, int]) -> None:
    if weights:
        write_bytes(RECORD, render(weights).encode())
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(RECORD)


def packed(held: Iterable[object]) -> frozenset[bytes]:
    """Return addresses of the library ipaddress as the table has them."""
    return frozenset(model.pack_address(str(address)) for address in held)


def name_next_hops(run: RunCommand, servers: Iterable[IPAddress], check_mode: bool) -> list[str]:
    """Add the routes that are needed, unless in check mode; return them as `ip route` takes them. Raises HostError.

    None is needed to a real server that has a gateway already, that this host is itself, or that it cannot reach.
    """
    added = []
    for address in sorted(servers, key=lambda one: (one.version, one)):
        route = _route(run, address)
        if route is not None:
            if not check_mode:
                # Precedes a host route without the next hop, which stays: to the kernel these are two routes.
                words = ["prepend", *route] if address.version == 4 else ["add", *route, "metric", "1"]
                _ip(run, _FAMILIES[address.version], "route", *words)
            added.append(" ".join(route))
    return added


def recorded_next_hops() -> list[IPAddress]:
    """Return the real servers that have changed to direct routing since the host booted. A damaged record has none."""
    try:
        return [parse_address(text) for text in json.loads(read_text(NEXT_HOPS) or "[]")]
    except (ValueError, TypeError):
        return []


def record_next_hops(servers: Iterable[IPAddress]) -> None:
    """Record these real servers. Raises HostError."""
    write_text(NEXT_HOPS, json.dumps(sorted(map(str, servers))) + "\n")


def forget_next_hops(run: RunCommand, check_mode: bool) -> list[str]:
    """Remove the routes that `name_next_hops` has added, unless in check mode; return them. Raises HostError."""
    found = []
    for family in _FAMILIES.values():
        listed = _ip(run, family, "-json", "route", "show", "table", "all", "proto", str(ROUTE_PROTOCOL))
        for one in _routes(listed):
            if one.get("dst") and one.get("dst") == one.get("gateway"):
                table = str(one.get("table", "main"))
                words = [
                    "via",
                    one["gateway"],
                    "dev",
                    str(one.get("dev", "")),
                    "table",
                    table,
                    "proto",
                    str(ROUTE_PROTOCOL),
                ]
                found.append(" ".join([one["dst"], *words]))
                if not check_mode:
                    _ip(run, family, "route", "delete", one["dst"], *words)
    if not check_mode:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NEXT_HOPS)
    return found


def _route(run: RunCommand, address: IPAddress) -> list[str] | None:
    """Return the words of the route that is needed to an address."""
    text = str(address)
    status, output, _errors = run(["ip", "-json", "route", "get", text])
    found = _routes(output) if status == 0 else []
    if not found or found[0].get("type", "unicast") != "unicast" or not found[0].get("dev"):
        return None
    now = found[0]
    if now.get("gateway") or now.get("via"):
        return None
    source = ["src", str(now["prefsrc"])] if now.get("prefsrc") else []
    table = ["table", str(now["table"])] if now.get("table") else []
    return [
        text,
        "via",
        text,
        "dev",
        str(now["dev"]),
        "onlink",
        *source,
        *_metrics(now),
        *table,
        "proto",
        str(ROUTE_PROTOCOL),
    ]


def _metrics(route: dict[str, Any]) -> list[str]:
    """Return the words of a route about packets, without what the kernel has learned about the path."""
    found = route.get("metrics") or []
    if route.get("expires") or not isinstance(found, list):
        return []
    return [
        word
        for one in found
        for name, value in one.items()
        if name in _METRICS and isinstance(value, int)
        for word in (name, str(value))
    ]


def _routes(text: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(text or "[]") if isinstance(one, dict)]


def _ip(run: RunCommand, *words: str) -> str:
    status, output, errors = run(["ip", *words])
    if status != 0:
        raise HostError(f"ip {' '.join(words)}: {errors.strip() or output.strip()}")
    return output
