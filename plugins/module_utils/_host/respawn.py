# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that need pyroute2 under an interpreter that lacks it: run again under the system's Python, or fail.

PRIVATE to the collection lvs.cluster: may change without notice.

Ansible discovers an interpreter, or is told one (ansible_python_interpreter). Distributions package pyroute2 for
/usr/bin/python3 alone.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib.util import find_spec
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

SYSTEM_PYTHON = "/usr/bin/python3"
LIBRARY = "pyroute2"
PACKAGE = "python3-pyroute2"
# respawn_module writes everything into a pipe that nothing reads yet, and would wait for ever. A pipe holds 64 KiB
# (pipe(7)), and there are more than the arguments to write.
_MOST_ARGUMENTS = 32768


def respawn_with_library(module: AnsibleModule) -> None:
    """Run the module again under the system's Python and end, if that has pyroute2 and this one lacks it.

    Otherwise it returns, and the module fails when it needs the library. Call it before anything is changed.
    """
    if find_spec(LIBRARY) is not None:
        return
    from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

    if has_respawned() or not _sent_by_ansible() or _is_system_python():
        return
    python = probe_interpreters_for_module([SYSTEM_PYTHON], LIBRARY)
    if python is None:
        return
    if len(json.dumps(module.params)) > _MOST_ARGUMENTS:
        module.fail_json(
            msg=f"{sys.executable} does not find the Python library {LIBRARY}. {python} does, but the arguments of this"
            f" task are too long to be handed over to it: set ansible_python_interpreter to {python} for this host"
        )
    respawn_module(python)


def _sent_by_ansible() -> bool:
    """Tell a module that Ansible has sent, which can be run again, from one that a test has imported."""
    return hasattr(sys.modules["__main__"], "_modlib_path")


def _is_system_python() -> bool:
    """Tell whether this process runs /usr/bin/python3 itself, under whichever name, and no environment made of it."""
    if sys.prefix != sys.base_prefix or not sys.executable or not os.path.exists(SYSTEM_PYTHON):
        return False
    return os.path.samefile(sys.executable, SYSTEM_PYTHON)


def fail_without_library(module: AnsibleModule, error: Exception, use: str) -> NoReturn:
    """End the module: pyroute2 cannot be imported. The message names the interpreter."""
    module.fail_json(
        msg=missing_required_lib(
            LIBRARY,
            reason=f"{use}. Debian and Ubuntu have it as {PACKAGE}; the roles of lvs.cluster install it unless"
            " lvs_install_packages is false",
            url="https://pypi.org/project/pyroute2/",
        ),
        exception="".join(traceback.format_exception(type(error), error, error.__traceback__)),
    )
    raise AssertionError("fail_json ends the process")
