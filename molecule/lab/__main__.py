# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's command line: `lab up TOPOLOGY.yml`, `lab down NAME`, `lab status`, `lab ssh NAME HOST`, `lab power`,
`lab build`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from vmlab import access, golden, images, labs, power, topology
from vmlab.base import LabError, Progress, need_home_of_our_own, need_root, need_this_kind_of_machine, need_tools
from vmlab.recipes import ON_REQUEST, RECIPES


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description="Debian machines on links of their own.")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="bring a lab up (or find it up)")
    up.add_argument("topology", type=Path, help="the topology's YAML file")
    up.add_argument("--name", help="another name than the file's, so that two can live side by side")
    up.add_argument("--plain", action="store_true", help="boot every machine instead of cloning a booted one")
    down = verbs.add_parser("down", help="take labs down: nothing of them stays")
    down.add_argument("names", nargs="+", metavar="NAME")
    verbs.add_parser("status", help="the labs that are up, their hosts and addresses")
    ssh = verbs.add_parser("ssh", help="a shell, or a command, on a host")
    ssh.add_argument("name", metavar="NAME")
    ssh.add_argument("host", metavar="HOST")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    power_verb = verbs.add_parser("power", help="reset a machine, pause it, or let it go on")
    power_verb.add_argument("name", metavar="NAME")
    power_verb.add_argument("host", metavar="HOST")
    power_verb.add_argument("action", choices=power.ACTIONS)
    build = verbs.add_parser("build", help="build images and the machines that clones start from")
    usual = ", ".join(sorted(RECIPES.keys() - ON_REQUEST))
    build.add_argument("images", nargs="*", metavar="IMAGE", help=f"of {', '.join(sorted(RECIPES))}; default: {usual}")
    return parser.parse_args(words)


def shell(name: str, host_name: str, command: list[str]) -> int:
    need_root()
    need_home_of_our_own()
    lab = labs.read(name)
    if command[:1] == ["--"]:
        command = command[1:]
    words = access.shell_command(lab, lab.host(host_name), labs.folder_of(name), command)
    os.execvp(words[0], words)


def build(names: list[str], progress: Progress) -> int:
    need_root()
    need_home_of_our_own()
    need_this_kind_of_machine()
    need_tools(*labs.NEEDED)
    for name in names or sorted(RECIPES.keys() - ON_REQUEST):
        if name not in RECIPES:
            raise LabError(f"image {name!r} is none of {', '.join(sorted(RECIPES))}")
        image = images.ensure(RECIPES[name], progress)
        asyncio.run(golden.ensure(image, golden.accelerator(image, progress), progress))
        progress.say(f"        image {name} is ready")
    return 0


def carry_out(options: argparse.Namespace, progress: Progress) -> int:
    if options.verb == "up":
        labs.up(topology.load(options.topology, options.name), progress, options.plain)
    elif options.verb == "down":
        for name in options.names:
            labs.down(name, progress)
    elif options.verb == "status":
        labs.status(print)
    elif options.verb == "power":
        power.power(options.name, options.host, options.action)
    elif options.verb == "ssh":
        return shell(options.name, options.host, options.command)
    else:
        return build(options.images, progress)
    return 0


def interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = arguments(sys.argv[1:])
    # A lab that is half up when it is told to stop is taken down, as on an interrupt from the keyboard.
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        return carry_out(options, Progress(options.quiet))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted, and what was started is taken down", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
