# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listens to VRRP on a director: `adverts.py INTERFACE SECONDS` prints a JSON object, source address -> packets."""

from __future__ import annotations

import collections
import json
import select
import socket
import sys
import time

_IPV4 = b"\x08\x00"
_VRRP = 112


def main() -> None:
    interface, seconds = sys.argv[1], float(sys.argv[2])
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 0))
    seen: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([wire], [], [], left)[0]:
            frame = wire.recv(2048)
            if frame[12:14] == _IPV4 and frame[23] == _VRRP:
                seen[socket.inet_ntoa(frame[26:30])] += 1
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
