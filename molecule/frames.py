# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends frames as they are, whatever addresses they claim. Runs on a client.

`frames.py INTERFACE TIMES INTERVAL` reads one frame a line from standard input, in hexadecimal, with its Ethernet
header. It sends all of them TIMES times, INTERVAL seconds apart, and prints how many frames it sent.
"""

from __future__ import annotations

import socket
import sys
import time


def main() -> None:
    interface, times, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    frames = [bytes.fromhex(line) for line in sys.stdin.read().split()]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    for number in range(times):
        if number:
            time.sleep(interval)
        for frame in frames:
            wire.send(frame)
    print(times * len(frames))


if __name__ == "__main__":
    main()
