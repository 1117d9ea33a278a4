# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few names of pyroute2 that IPVS needs, without the rest of it.

PRIVATE to the collection lvs.cluster: may change without notice.

``import pyroute2`` imports every part of the library, whichever part is asked for: 380 modules instead of 60, seconds
of every task on a slow host. What IPVS needs are its lower layers, and they do not need the package's own
``__init__``. So they are imported below a bare package of the same name, which is taken out again afterwards; whoever
imports pyroute2 later in the same process gets the whole of it, as ever.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any, NamedTuple

_NAME = "pyroute2"


class Library(NamedTuple):
    """What is used of pyroute2, 0.7.2 to 0.9."""

    socket: Any  # GenericNetlinkSocket
    message: Any  # genlmsg
    error: Any  # NetlinkError


def load() -> Library:
    """Import it. ImportError where it is missing."""
    if _NAME in sys.modules:
        return _import()
    spec = importlib.util.find_spec(_NAME)
    if spec is None or not spec.submodule_search_locations:
        return _import()
    bare = types.ModuleType(_NAME)
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules[_NAME] = bare
    try:
        return _import()
    except (ImportError, AttributeError):
        pass  # a version whose layers need the whole package
    finally:
        for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
            del sys.modules[name]
    return _import()


def _import() -> Library:
    from pyroute2.netlink import genlmsg
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.generic import GenericNetlinkSocket

    return Library(GenericNetlinkSocket, genlmsg, NetlinkError)
