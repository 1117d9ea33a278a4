# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd unit with its files, on the host: reads and steps of service_config."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from .errors import FileError, HostError
from .files import make_directories, read_bytes, read_text, remove_file, stage, swap_in, write_text
from .process import RunCommand, has_command, systemctl
from .service_plan import (
    Applied,
    ConfigFile,
    FoundFile,
    FoundUnit,
    ServicePlan,
    ServiceState,
    Wanted,
    parse_applied,
)

_PROPERTIES = "LoadState,ActiveState,UnitFileState,InvocationID,NeedDaemonReload,ExecMainStartTimestampMonotonic"


class ServiceUnit:
    """One unit, through a command runner; its files below root ("/" but in tests)."""

    def __init__(self, unit: str, run: RunCommand, root: str = "/") -> None:
        self.unit = unit
        self._run = run
        self._root = root

    def path(self, path: str) -> str:
        """Return the path of a file of the host."""
        return os.path.join(self._root, path.lstrip("/"))

    def read(self, wanted: Wanted) -> ServiceState:
        """Return the unit, its files and its record. Raises HostError."""
        applied = parse_applied(read_text(self.path(wanted.record)))
        paths = [file.path for file in wanted.files] + ([] if applied is None else list(applied.read))
        return ServiceState(
            unit=self.show(),
            files={path: self._found(path) for path in paths},
            directories=frozenset(path for path in wanted.directories if os.path.isdir(self.path(path))),
            applied=applied,
        )

    def show(self) -> FoundUnit:
        """Return systemd's state of the unit. Raises HostError."""
        status, output, errors = self._run(["systemctl", "show", f"--property={_PROPERTIES}", "--", self.unit])
        if status:
            raise HostError(f"systemctl show {self.unit} failed: {_last(errors)}")
        values = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        started = values.get("ExecMainStartTimestampMonotonic", "0")
        return FoundUnit(
            exists=values.get("LoadState") == "loaded",
            active=values.get("ActiveState") in ("active", "reloading"),
            enabled=values.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias", "indirect"),
            outdated=values.get("NeedDaemonReload") == "yes",
            invocation=values.get("InvocationID", ""),
            started=time.time() - time.monotonic() + int(started) / 1e6
            if started.isdigit() and started != "0"
            else None,
        )

    def _found(self, path: str) -> FoundFile | None:
        content = read_bytes(self.path(path))
        if content is None:
            return None
        try:
            status = os.stat(self.path(path))
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror}") from error
        return FoundFile(
            content,
            _name(status.st_uid, lambda number: pwd.getpwuid(number).pw_name),
            _name(status.st_gid, lambda number: grp.getgrgid(number).gr_name),
            f"{status.st_mode & 0o7777:04o}",
            status.st_ctime,
        )

    def validate(self, plan: ServicePlan, wanted: Wanted, if_installed: bool) -> None:
        """Validate the files with the programs that read them. Raises HostError with their output.

        ``if_installed``: skip a missing program. The path of a file or directory that does not exist yet is replaced by
        that of a substitute.
        """
        if not any(file.validate for file in plan.write):
            return
        place = tempfile.mkdtemp(prefix="lvs-cluster-")
        try:
            absent = {path: os.path.join(place, f"directory-{number}") for number, path in enumerate(plan.directories)}
            for path in absent.values():
                os.mkdir(path, 0o755)
            staged = {
                file.path: os.path.join(place, f"{number}-{os.path.basename(file.path)}")
                for number, file in enumerate(plan.write)
            }
            absent.update({path: new for path, new in staged.items() if not os.path.exists(self.path(path))})
            for file in plan.write:
                text = file.shown or file.content
                for path, new in sorted(absent.items(), reverse=True):
                    if path != file.path:
                        text = text.replace(path, new)
                write_text(staged[file.path], text, int(file.mode, 8))
            for file in plan.write:
                if file.validate:
                    self._validate(file, staged[file.path], if_installed)
        except OSError as error:
            if isinstance(error, HostError):
                raise
            raise HostError(f"cannot write files to validate into {place}: {error.strerror}") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _validate(self, file: ConfigFile, path: str, if_installed: bool) -> None:
        program = file.validate[0]
        if not has_command(program):
            if if_installed:
                return
            raise HostError(f"{file.path} cannot be validated: {program} is not installed; install it")
        status, output, errors = self._run([word.replace("%s", path) for word in file.validate])
        if status != file.validate_status:
            said = (errors.strip() or output.strip() or f"exit status {status}").replace(path, file.path)
            lines = " | ".join(said.splitlines()[-5:])
            raise HostError(f"{program} refuses {file.path}, and no file was changed: {lines}")

    def record(self, wanted: Wanted, applied: Applied) -> None:
        """Write the record. Raises FileError."""
        write_text(self.path(wanted.record), applied.text(), 0o600)

    def forget(self, wanted: Wanted) -> bool:
        """Remove the record."""
        return remove_file(self.path(wanted.record))

    def make(self, directories: Iterable[str]) -> None:
        """Create directories. Raises FileError."""
        for path in directories:
            make_directories(self.path(path))

    def write(self, files: Sequence[ConfigFile], found: Mapping[str, FoundFile | None]) -> None:
        """Write all files, or none: if one cannot be written, the others are as found. Raises HostError."""
        staged: list[tuple[str, ConfigFile]] = []
        done: list[ConfigFile] = []
        try:
            for file in files:
                path = self.path(file.path)
                make_directories(os.path.dirname(path))
                staged.append((stage(path, _data(file), int(file.mode, 8), _owner(file)), file))
            for temporary, file in staged:
                swap_in(temporary, self.path(file.path))
                done.append(file)
        except HostError:
            for temporary, _file in staged[len(done) :]:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            for file in reversed(done):
                self._put_back(file, found.get(file.path))
            raise

    def _put_back(self, file: ConfigFile, found: FoundFile | None) -> None:
        if found is None:
            remove_file(self.path(file.path))
            return
        before = replace(file, owner=found.owner, group=found.group, mode=found.mode)
        path = self.path(file.path)
        swap_in(stage(path, found.content, int(found.mode, 8), _owner(before)), path)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files. Raises FileError."""
        for path in paths:
            remove_file(self.path(path))

    def systemctl(self, verb: str) -> None:
        """Run systemctl for the unit, or daemon-reload. Raises HostError with its output."""
        try:
            systemctl(self._run, verb, *(() if verb == "daemon-reload" else ("--", self.unit)))
        except HostError as error:
            raise HostError(f"{error}; see journalctl -u {self.unit}") from error


def _data(file: ConfigFile) -> bytes:
    return file.content.encode("utf-8", "surrogateescape")


def _owner(file: ConfigFile) -> tuple[int, int]:
    try:
        user = int(file.owner) if file.owner.isdigit() else pwd.getpwnam(file.owner).pw_uid
    except KeyError:
        raise HostError(f"{file.path}: owner: this host has no user {file.owner}") from None
    try:
        group = int(file.group) if file.group.isdigit() else grp.getgrnam(file.group).gr_gid
    except KeyError:
        raise HostError(f"{file.path}: group: this host has no group {file.group}") from None
    return user, group


def _name(number: int, look_up: Callable[[int], str]) -> str:
    try:
        return look_up(number)
    except KeyError:
        return str(number)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason was given"])[-1]
