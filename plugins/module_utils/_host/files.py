# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading, replacing and removing small files.

A file is replaced atomically: readers see the old text or the new one, also after a power cut. The temporary file is
created in the target's own directory, so that it gets that directory's SELinux type, as policies require for files in
/etc/sysctl.d, /etc/modprobe.d, /etc/modules-load.d, /etc/systemd/system and /var/lib.

Works without Ansible: the program that restores the IPVS table at boot uses it too.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable

from .errors import FileError


def read_bytes(path: str) -> bytes | None:
    """Return the content of a file, or None if there is none. Raises FileError if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error


def read_text(path: str) -> str | None:
    """Return the text of a file, as read_bytes, decoded as UTF-8; other bytes become surrogates and are not refused."""
    data = read_bytes(path)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def write_bytes(path: str, data: bytes, mode: int = 0o644) -> list[str]:
    """Replace or create a file with this content and mode, atomically, making missing directories.

    The modes do not depend on the umask.
    Return the created directories, outermost first. Raises FileError; the old content is then unchanged.
    """
    made = make_directories(os.path.dirname(path))
    try:
        swap_in(stage(path, data, mode), path)
    except FileError:
        remove_empty_directories(made)
        raise
    return made


def stage(path: str, data: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None) -> str:
    """Write a temporary file beside a path, for `swap_in`; its directory exists. Returns its path. Raises FileError.

    ``owner``: user and group, by number.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".lvs-cluster-", dir=os.path.dirname(path))
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
    except OSError as error:
        _discard(temporary)
        raise FileError(f"cannot write {path}: {error.strerror}") from error
    return temporary


def swap_in(temporary: str, path: str) -> None:
    """Replace a file with a staged one, atomically. Raises FileError; the staged one is then removed."""
    try:
        os.replace(temporary, path)
        _sync_directory(os.path.dirname(path))
    except OSError as error:
        _discard(temporary)
        raise FileError(f"cannot write {path}: {error.strerror}") from error


def _discard(temporary: str | None) -> None:
    if temporary is not None:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def write_text(path: str, text: str, mode: int = 0o644) -> list[str]:
    """As write_bytes, for text in UTF-8."""
    return write_bytes(path, text.encode("utf-8", "surrogateescape"), mode)


def remove_file(path: str) -> bool:
    """Remove a file; return True if there was one. Raises FileError."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise FileError(f"cannot remove {path}: {error.strerror}") from error
    return True


def make_directories(path: str, mode: int = 0o755) -> list[str]:
    """Create a directory and its missing parents. Return the created ones, outermost first. Raises FileError."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    made: list[str] = []
    for directory in reversed(missing):
        try:
            os.mkdir(directory, mode)
            os.chmod(directory, mode)  # independent of the umask
        except FileExistsError:
            continue  # created by another process meanwhile, so not ours to remove
        except OSError as error:
            remove_empty_directories(made)
            raise FileError(f"cannot make the directory {directory}: {error.strerror}") from error
        made.append(directory)
    return made


def remove_empty_directories(paths: Iterable[str]) -> None:
    """Remove the existing empty ones of these directories, innermost first; the others stay."""
    for path in sorted(paths, key=lambda item: item.count("/"), reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(path)


def _sync_directory(path: str) -> None:
    """Make a rename in this directory outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
