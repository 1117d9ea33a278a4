# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of nftables, through the command nft: listed, tested, and replaced in one transaction.

Tables are compared in the form of C(nft --stateless list table), which nft also reads. New rules are first loaded in an
empty network namespace (C(unshare --net), util-linux) to get their form. So another spelling of a rule is not a change,
and rules that the kernel refuses are found before any change.
"""

from __future__ import annotations

import os
import re
import tempfile

from .errors import HostError
from .nft_table import LINES_BEFORE, script
from .process import RunCommand, has_command


class Nftables:
    """Tables of the family inet, through a command runner."""

    def __init__(self, run: RunCommand) -> None:
        self._run = run

    def listing(self, name: str) -> str | None:
        """Return the table as nft lists it, without counters; None if there is none. Raises HostError."""
        if not has_command("nft"):
            return None
        status, output, errors = self._run(["nft", "--stateless", "list", "table", "inet", name])
        if status == 0:
            return output
        if "No such file or directory" in errors:
            return None
        raise HostError(f"cannot list the nftables table inet {name}: {_last(errors)}")

    def would_list(self, name: str, rules: str) -> str:
        """Return a table with these rules as nft would list it. Raises HostError if nft or the kernel refuses them.

        Some rules are listed in a way that nft then cannot read (a set of C(ct original proto-dst), for one). A table
        of such rules could not be restored, so they are refused too.
        """
        if not has_command("nft"):
            raise HostError("the command nft is missing (package nftables)")
        with _Script(script(name, rules)) as path:
            status, output, errors = self._load_alone(name, path)
        if status != 0:
            raise HostError(f"rules: {_first(errors, path, LINES_BEFORE)}")
        with _Script(output) as path:
            status, again, errors = self._load_alone(name, path)
        if status != 0 or again != output:
            raise HostError(
                "rules: nft lists them in a form that it cannot read, so they could not be restored;"
                f" write them in another way ({_first(errors, path)})"
            )
        return output

    def _load_alone(self, name: str, path: str) -> tuple[int, str, str]:
        """Load a script in an empty namespace. As RunCommand; the output is the table as listed. Raises HostError."""
        command = 'nft --file "$0" && nft list tables && exec nft --stateless list table inet "$1"'
        status, output, errors = self._run(["unshare", "--net", "sh", "-c", command, path, name])
        tables, start, rest = output.partition(f"table inet {name} {{\n")
        if status == 0 and tables != f"table inet {name}\n":
            raise HostError(f"rules: they end the table {name} and open another; one task manages one table")
        return status, start + rest, errors

    def swap(self, name: str, listing: str | None) -> None:
        """Replace the table of this name, or remove it: after a check, in one transaction."""
        text = script(name, None) if listing is None else f"{script(name, None)}{listing}"
        with _Script(text) as path:
            for options in (["--check"], []):
                status, _output, errors = self._run(["nft", *options, "--file", path])
                if status != 0:
                    raise HostError(_first(errors, path))


class _Script:
    """Provide a file with nft commands until the block ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._path = ""

    def __enter__(self) -> str:
        descriptor, self._path = tempfile.mkstemp(prefix="lvs-cluster-", suffix=".nft")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(self._text)
        except OSError as error:
            os.unlink(self._path)
            raise HostError(f"cannot write {self._path}: {error.strerror}") from error
        return self._path

    def __exit__(self, *_exception: object) -> None:
        os.unlink(self._path)


def _last(errors: str) -> str:
    return (errors.strip().splitlines() or ["no reason was given"])[-1]


def _first(errors: str, path: str, before: int = 0) -> str:
    """Return the first error of nft, on one line, with the rule that it points at, without the name of the file.

    before: the number of lines in the script before the user's.
    """
    text = re.sub(rf"{re.escape(path)}:(\d+)", lambda found: f"line {int(found[1]) - before}", errors)
    lines = [line for line in text.splitlines() if line.strip(" ^~")]
    return ": ".join(line.strip() for line in lines[:2]) or "no reason was given"
