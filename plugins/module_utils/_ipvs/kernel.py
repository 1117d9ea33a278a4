# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All communication with IPVS, over pyroute2's generic netlink socket.

The used parts are the same in pyroute2 0.7.2 to 0.9: the constructor, ``bind``, ``prid``, ``sendto``, ``recv``,
``fileno`` and ``close``. It is imported only for the first message.

``import pyroute2`` imports the whole library: 380 modules instead of 60, seconds of every task on a slow host. IPVS
needs only its lower layers, which do not need the package's own ``__init__``. So they are imported below an empty
package of the same name, which is removed afterwards. A later import of pyroute2 in the same process gets the whole
library.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import select
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from .._host.process import has_net_admin
from . import netlink
from .model import RealServer, RealServerKey, ServiceKey, Settings, Table, VirtualService
from .plan import REMOVE, Operation

# Every failed message has an answer, and a socket's receive buffer holds about 550 of them: more would be lost.
CHUNK = 400
_PROC_TABLE = "/proc/net/ip_vs"
_PROC = "/proc"
_ALIAS = "net-pf-16-proto-16-family-IPVS"
_LIBRARY = "pyroute2"


class KernelError(Exception):
    """IPVS cannot be reached, or refused a request; the text is one sentence for the user."""


class LibraryMissing(KernelError):
    """pyroute2 cannot be imported; ``__cause__`` is the ImportError."""


class Failure(NamedTuple):
    """An operation that the kernel refused."""

    operation: Operation
    code: int  # errno


def explain(code: int, operation: Operation | None = None) -> str:
    """Return an errno of IPVS in words (net/netfilter/ipvs/ip_vs_ctl.c), with its name."""
    name = errno.errorcode.get(code, str(code))
    settings = operation.settings if operation else None
    if code == errno.EPERM:
        text = "not permitted: CAP_NET_ADMIN is needed in the network namespace's own user namespace"
    elif code == errno.EEXIST:
        text = "it already exists"
    elif code == errno.ESRCH:
        text = "there is no such virtual service"
    elif code == errno.ENOENT and settings is not None:
        engine = f" or no persistence engine {settings.persistence_engine}" if settings.persistence_engine else ""
        text = f"this kernel has no scheduler {settings.scheduler}{engine}, not even as a module"
    elif code == errno.ENOENT:
        text = "there is no such real server"
    elif code == errno.EAFNOSUPPORT:
        text = "this kernel's IPVS has no IPv6, or it is switched off"
    elif code == errno.EINVAL and operation is not None and _is_mixed(operation):
        text = "the kernel does not mix families while a sync daemon runs (ipvs_sync_daemon)"
    elif code == errno.EINVAL and operation is not None and operation.server_key is not None:
        text = "the kernel refuses this value as invalid, for instance an address that is not a host's"
    else:
        text = os.strerror(code)
    return f"{text} ({name})"


def _refuse_error(message: netlink.Message) -> None:
    if message.error:
        raise KernelError(f"reading the IPVS table: {explain(message.error)}")


def _is_mixed(operation: Operation) -> bool:
    return operation.server_key is not None and operation.server_key.family != operation.service.family


class Library(NamedTuple):
    """The used parts of pyroute2, 0.7.2 to 0.9."""

    socket: Any  # GenericNetlinkSocket
    message: Any  # genlmsg
    error: Any  # NetlinkError


def load_library() -> Library:
    """Import it. Raises ImportError if it is missing."""
    if _LIBRARY in sys.modules:
        return _import_library()
    spec = importlib.util.find_spec(_LIBRARY)
    if spec is None or not spec.submodule_search_locations:
        return _import_library()
    bare = types.ModuleType(_LIBRARY)
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules[_LIBRARY] = bare
    try:
        return _import_library()
    except (ImportError, AttributeError):
        pass  # a version whose layers need the whole package
    finally:
        for name in [name for name in sys.modules if name == _LIBRARY or name.startswith(f"{_LIBRARY}.")]:
            del sys.modules[name]
    return _import_library()


def _import_library() -> Library:
    from pyroute2.netlink import genlmsg
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.generic import GenericNetlinkSocket

    return Library(GenericNetlinkSocket, genlmsg, NetlinkError)


class Ipvs:
    """The IPVS table of the current network namespace. A context manager; opened by the first request.

    ``load``: the kernel may load ip_vs as a module. Without, an unloaded ip_vs reads as the empty table that it would
    be. ``needed``: a kernel without IPVS is then an error; tasks that only remove have nothing to do there.
    """

    def __init__(self, load: bool = True, needed: bool = True) -> None:
        self._load = load
        self._needed = needed
        self._socket: Any = None
        self._blocking = False
        self._family_id = 0
        self._sequence = 0
        self.loaded = True

    def __enter__(self) -> Ipvs:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def opened(self) -> bool:
        """Open the socket; return False if ip_vs is not loaded and must not be."""
        if self._socket is not None:
            return True
        _need_net_admin()
        if not self._load and not os.path.exists(_PROC_TABLE):
            self.loaded = False
            if self._needed and not can_load():
                raise KernelError(_NO_IPVS)
            return False
        try:
            pyroute2 = load_library()
        except ImportError as error:
            raise LibraryMissing("the Python library pyroute2 is missing") from error
        sock = pyroute2.socket()
        for part in (sock, getattr(sock, "asyncore", None)):
            if part is not None:
                part.module_err_level = "debug"  # it logs a missing family, which the error below reports
        try:
            sock.bind(netlink.FAMILY_NAME, pyroute2.message)
        except pyroute2.error as error:
            sock.close()
            raise KernelError(_NO_IPVS if error.code == errno.ENOENT else f"IPVS: {explain(error.code)}") from error
        self._socket, self._family_id = sock, sock.prid
        self._blocking = os.get_blocking(sock.fileno())
        return True

    def _open_to_change(self) -> None:
        if not self.opened():
            raise KernelError("the kernel module ip_vs is not loaded, so the IPVS table cannot be changed")

    def _next(self, count: int = 1) -> int:
        """Return the first of ``count`` fresh sequence numbers."""
        first = self._sequence + 1
        self._sequence += count
        return first

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, (0, 0))
        except OSError as error:
            raise KernelError(f"cannot send to the kernel's IPVS: {error}") from error

    def _receive(self) -> bytes:
        while True:
            try:
                # Not recv of pyroute2 before 0.9: it requests the length of an answer first, and the kernel sizes the
                # buffers of a dump by the longest requested answer (af_netlink.c, netlink_dump).
                data: bytes = os.read(self._socket.fileno(), 65536) if self._blocking else self._socket.recv(65536)
                return data
            except BlockingIOError:  # pyroute2 0.9 makes the socket non-blocking
                select.select([self._socket.fileno()], [], [])
            except OSError as error:
                raise KernelError(f"cannot receive from the kernel's IPVS: {error}") from error

    def ask(
        self, command: int, payload: bytes = b"", flags: int = netlink.NLM_F_DUMP
    ) -> Iterator[tuple[bytes, netlink.Message]]:
        """Send one request; yield its answers as (buffer, message), none if ip_vs is not loaded."""
        if not self.opened():
            return
        sequence = self._next()
        self._send(netlink.request(self._family_id, sequence, command, flags, payload))
        done = False
        while not done:
            data = self._receive()
            for message in netlink.messages(data):
                if message.sequence != sequence:
                    continue
                _refuse_error(message)
                if message.kind in (netlink.NLMSG_DONE, netlink.NLMSG_ERROR):
                    done = True
                    break
                yield data, message

    def services(self) -> Iterator[tuple[ServiceKey, Settings, bytes, netlink.Message]]:
        """Yield every service in the kernel's order, with the raw message for netlink.decode_statistics."""
        for data, message in self.ask(netlink.GET_SERVICE):
            key, settings = netlink.decode_service(data, message)
            yield key, settings, data, message

    def real_servers(
        self, service: ServiceKey
    ) -> Iterator[tuple[RealServerKey, RealServer, netlink.Connections, bytes, netlink.Message]]:
        """Yield every real server of a service; none if the service does not exist."""
        # One dump per service: the kernel has no dump of all, and allows one dump at a time on a socket.
        for data, message in self.ask(netlink.GET_DEST, netlink.service_payload(service)):
            key, server, connections = netlink.decode_dest(data, message)
            yield key, server, connections, data, message

    def read(self, wanted: Callable[[ServiceKey], bool] | None = None) -> Table:
        """Return the table, or those of its services that ``wanted`` accepts. Raises KernelError."""
        found = [(key, settings) for key, settings, _data, _message in self.services() if wanted is None or wanted(key)]
        return {key: VirtualService(settings, self._real_servers(key)) for key, settings in found}

    def _real_servers(self, service: ServiceKey) -> dict[RealServerKey, RealServer]:
        sequence = self._request_real_servers(service)
        servers = netlink.RealServers(self._family_id, sequence)
        while True:
            end = servers.take(self._receive())
            if end is not None:
                _refuse_error(end)
                return servers.found

    def _request_real_servers(self, service: ServiceKey) -> int:
        sequence = self._next()
        payload = netlink.service_payload(service)
        self._send(netlink.request(self._family_id, sequence, netlink.GET_DEST, netlink.NLM_F_DUMP, payload))
        return sequence

    def surely_holds(self, operations: Iterable[Operation], predicted: Table) -> bool:
        """Return True if every added or set entry is as predicted. False also if that needs a full reading.

        It compares bytes without decoding, which is several times faster than reading the table.
        """
        expected: dict[ServiceKey, set[tuple[bytes, bytes]]] = {}
        for _verb, service, _settings, key, _new in operations:
            images = expected.setdefault(service, set())
            if service not in predicted or (key is not None and key not in predicted[service].real_servers):
                return False
            if key is not None:
                images.add(netlink.image(key, predicted[service].real_servers[key]))
        found = {key: settings for key, settings, _data, _message in self.services()}
        return all(
            found.get(service) == predicted[service].settings and self._has_images(service, images)
            for service, images in expected.items()
        )

    def _has_images(self, service: ServiceKey, images: set[tuple[bytes, bytes]]) -> bool:
        sequence = self._request_real_servers(service)
        while True:
            data = self._receive()
            images.difference_update(netlink.images(data))
            end = netlink.end_of(data, sequence)
            if end is not None:
                return not (images or end.error)

    def numbers(self, command: int) -> dict[int, int]:
        """Return the attributes of GET_INFO or GET_CONFIG; empty if ip_vs is not loaded."""
        result: dict[int, int] = {}
        for data, message in self.ask(command, flags=netlink.NLM_F_ACK):
            result.update(netlink.decode_numbers(data, message))
        return result

    def command(self, command: int, payload: bytes = b"") -> int:
        """Send one command that does not concern an entry of the table; return the errno of its answer, 0 for none."""
        self._open_to_change()
        sequence = self._next()
        self._send(netlink.request(self._family_id, sequence, command, netlink.NLM_F_ACK, payload))
        while True:
            for message in netlink.messages(self._receive()):
                if message.kind == netlink.NLMSG_ERROR and message.sequence == sequence:
                    return message.error

    def apply(self, operations: Sequence[Operation], sent: list[Operation]) -> list[Failure]:
        """Send operations in chunks; stop after the first chunk with a failure. Return the refused operations.

        Operations that may have reached the kernel are added to ``sent``, also before an exception. The kernel
        continues after a failed message, so the rest of its chunk may have taken effect. Removals have chunks of their
        own: nothing is removed after another failure.
        """
        self._open_to_change()
        for _removing, group in groupby(operations, lambda operation: operation.verb == REMOVE):
            alike = list(group)
            for start in range(0, len(alike), CHUNK):
                chunk = alike[start : start + CHUNK]
                sent.extend(chunk)
                failures = self._apply_chunk(chunk)
                if failures:
                    return failures
        return []

    def _apply_chunk(self, operations: Sequence[Operation]) -> list[Failure]:
        first = self._next(len(operations))
        last = first + len(operations) - 1
        self._send(netlink.pack(operations, self._family_id, first))
        failures: list[Failure] = []
        while True:
            for message in netlink.messages(self._receive()):
                if message.kind != netlink.NLMSG_ERROR or not first <= message.sequence <= last:
                    continue
                if message.error:
                    failures.append(Failure(operations[message.sequence - first], message.error))
                if message.sequence == last:
                    return failures


_NO_IPVS = (
    f"the running kernel {os.uname().release} has no IPVS: the module ip_vs is neither loaded nor built in, and cannot"
    " be loaded (some cloud and minimal kernels lack it: install the distribution's full one)"
)


def _need_net_admin() -> None:
    try:
        allowed = has_net_admin(_PROC)
    except (OSError, ValueError):
        return  # the kernel's answer will show it
    if not allowed:
        raise KernelError(
            "reading and changing the IPVS table needs root (CAP_NET_ADMIN): run the task with become: true"
        )


def can_load(release: str | None = None, root: str = "/lib/modules") -> bool:
    """Return True if the running kernel (or another ``release``) can load ip_vs or has it built in, by its module
    aliases.
    """
    directory = os.path.join(root, release or os.uname().release)
    for name in ("modules.alias", "modules.builtin.alias", "modules.builtin.modinfo"):
        try:
            with open(os.path.join(directory, name), "rb") as file:
                if _ALIAS.encode() in file.read():
                    return True
        except OSError:
            continue
    return False
