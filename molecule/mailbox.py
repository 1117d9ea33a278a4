# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accepts e-mails and appends them to a file, with what was said before each. Runs on a machine.

`mailbox.py PORT FILE`.
"""

from __future__ import annotations

import socketserver
import sys
from pathlib import Path


class Session(socketserver.StreamRequestHandler):
    """One client (RFC 5321)."""

    timeout = 60

    def handle(self) -> None:
        said: list[str] = []
        self.say("220 mailbox")
        while line := self.rfile.readline(2000).decode(errors="replace").rstrip():
            said.append(line)
            word = line[:4].upper()
            if word == "DATA":
                self.say("354 go on")
                while (line := self.rfile.readline(2000).decode(errors="replace").rstrip("\r\n")) != ".":
                    said.append(line)
                with Path(sys.argv[2]).open("a") as kept:
                    kept.write("\n".join(said) + "\n\n")
                said = []
            self.say("221 bye" if word == "QUIT" else "250 ok")

    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


if __name__ == "__main__":
    socketserver.ThreadingTCPServer(("0.0.0.0", int(sys.argv[1])), Session).serve_forever()
