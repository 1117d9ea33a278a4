# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect to a host of a lab's namespace and hand the connection to ssh (its option ProxyUseFdpass).

Called by ssh as `fdpass.py NAMESPACE HOST PORT`: no bytes are copied and no process stays behind.
"""

from __future__ import annotations

import array
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000


def enter(namespace: str) -> None:
    """Move this process (more exactly, this thread) into a network namespace; raises OSError."""
    # os.setns is Python 3.12's.
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(namespace, os.O_RDONLY)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)
    os.close(handle)


def main() -> int:
    namespace, host, port = sys.argv[1:4]
    try:
        enter(namespace)
        connection = socket.create_connection((host, int(port)), timeout=10)
    except OSError as error:
        print(f"{error.filename or host}: {error.strerror or error}", file=sys.stderr)
        return 1
    connection.setblocking(True)
    with socket.socket(fileno=os.dup(1)) as parent:
        parent.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
