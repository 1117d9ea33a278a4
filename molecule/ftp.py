# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches a file over FTP, in both modes, through the balancer. Runs on a client.

`ftp.py ADDRESS...` prints one line of JSON for each address: the file's text by mode, or an error. Every other address
is asked in the other order of modes, so that each mode meets each real server in turn.
"""

from __future__ import annotations

import ftplib
import json
import sys

SECONDS = 15.0


def fetch(address: str, passive: bool) -> str:
    try:
        with ftplib.FTP(address, timeout=SECONDS) as ftp:
            ftp.login()
            ftp.set_pasv(passive)
            text: list[str] = []
            ftp.retrlines("RETR who", text.append)
            return "".join(text)
    except (OSError, EOFError, ftplib.Error) as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    modes = ["active", "passive"]
    for address in sys.argv[1:]:
        print(json.dumps({mode: fetch(address, mode == "passive") for mode in modes}), flush=True)
        modes.reverse()


if __name__ == "__main__":
    main()
