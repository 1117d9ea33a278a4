# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building images: a Debian tree by mmdebstrap, a disk of it by mke2fs, cached by what went into it."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .base import LabError, Progress, images_home, locked, need_tools, run
from .recipes import Recipe


@dataclass(frozen=True)
class Image:
    """A built image: `disk` (raw ext4), `kernel`, `initrd`, all in `folder`."""

    recipe: Recipe
    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"


def ensure(recipe: Recipe, progress: Progress) -> Image:
    """The image of a recipe, built now if it is not there yet; older builds of it are removed."""
    folder = images_home() / f"{recipe.name}-{recipe.digest()}"
    image = Image(recipe, folder)
    with locked(images_home() / f"{recipe.name}.lock"):
        if folder.is_dir():
            return image
        need_tools("mmdebstrap", "mke2fs")
        with tempfile.TemporaryDirectory(dir=images_home(), prefix=f".{recipe.name}-") as scratch:
            part = Path(scratch) / "image"
            part.mkdir()
            _build(Image(recipe, part), Path(scratch), progress)
            part.rename(folder)
        for other in builds(recipe.name):
            if other != folder and not _in_use(other):
                shutil.rmtree(other)
    return image


def builds(name: str) -> list[Path]:
    """Return the folders of all builds of this recipe, and of no other whose name begins with this one."""
    found = images_home().glob(f"{name}-*")
    return sorted(path for path in found if path.is_dir() and path.name.rpartition("-")[0] == name)


def _in_use(folder: Path) -> bool:
    """Whether a running machine maps the image's memory or has its disk open (proc(5): /proc/PID/fd)."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()).startswith(f"{folder}/"):
                return True
        except OSError:
            continue
    return False


def _build(image: Image, scratch: Path, progress: Progress) -> None:
    recipe, tree = image.recipe, scratch / "tree"
    files = scratch / "files"
    for path, text in recipe.files:
        target = files / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    # dpkg keeps a configuration file that is there already (confold), so the initrd is made with our settings.
    copy = f'cp -R {shlex.quote(str(files))}/. "$1"'
    command: list[str | Path] = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
    command += [
        f"--include={','.join(recipe.packages)}",
        "--dpkgopt=force-confold",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        '--aptopt=Acquire::Languages "none"',
        f"--customize-hook={copy}",
    ]
    command += [f'--customize-hook=chroot "$1" sh -e -c {shlex.quote(line)}' for line in recipe.commands]
    with progress.step(f"image {recipe.name}: a Debian {recipe.suite} tree of {len(recipe.packages)} packages"):
        run([*command, recipe.suite, tree])
    with progress.step(f"image {recipe.name}: its disk"):
        for name, target in (("vmlinuz", image.kernel), ("initrd.img", image.initrd)):
            found = sorted((tree / "boot").glob(f"{name}-*"))
            if not found:
                raise LabError(f"image {recipe.name}: the tree has no /boot/{name}-*")
            shutil.copyfile(found[-1], target)
        run(["mke2fs", "-q", "-t", "ext4", "-L", "lab", "-d", tree, image.disk, f"{recipe.disk}M"])
        shutil.rmtree(tree)
