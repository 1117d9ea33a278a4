# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to the kernel for addresses, routes and rules, through pyroute2, versions 0.7.2 to 0.9.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from .errors import HostError, MissingLibrary


@contextlib.contextmanager
def as_host_error(what: str = "", harmless: int = 0) -> Iterator[None]:
    """Turn the kernel's refusals into HostError, except for one errno that does no harm."""
    try:
        yield
    except MissingLibrary:
        raise
    except Exception as error:
        # pyroute2's NetlinkError is no OSError and its place has moved, but it has always had the errno as its code.
        code = error.errno if isinstance(error, OSError) else getattr(error, "code", None)
        if not isinstance(code, int):
            raise
        if code != harmless:
            raise HostError(f"cannot {what}: {os.strerror(code)}" if what else os.strerror(code)) from error


class Rtnetlink:
    """A connection to the kernel, opened when it is first used."""

    def __init__(self) -> None:
        self._socket: Any | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def open(self) -> Any:
        """pyroute2's socket. Raises MissingLibrary."""
        if self._socket is None:
            try:
                from pyroute2 import IPRoute
            except ImportError as error:
                raise MissingLibrary("pyroute2", "python3-pyroute2") from error
            self._socket = IPRoute()
        return self._socket
