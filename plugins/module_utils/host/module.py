# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the modules of the host side and the code that does the work: the only file here that knows Ansible.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .capability import require_root
from .errors import HostError, MissingLibrary
from .runner import runner
from .settle import Outcome
from .target import Target

Wanted = TypeVar("Wanted")


def run(
    module: AnsibleModule, parse: Callable[[], Wanted], converge: Callable[[Target, Wanted, bool], Outcome]
) -> None:
    """Bring this host to what the arguments say; ends the process with what changed or one sentence of why not."""
    target = Target(runner(module))
    try:
        wanted = parse()
        require_root()
        outcome = converge(target, wanted, module.check_mode)
    except MissingLibrary as error:
        module.fail_json(
            msg=missing_required_lib(
                error.imported,
                reason=f"to read and change addresses. Debian and Ubuntu have it as {error.package};"
                " the roles of lvs.cluster install it unless lvs_install_packages is false",
                url="https://pypi.org/project/pyroute2/",
            ),
            exception="".join(traceback.format_exception(type(error), error, error.__traceback__)),
        )
    except HostError as error:
        module.fail_json(msg=str(error))
    finally:
        target.close()
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(
        changed=outcome.changed,
        diff={
            "before": outcome.before,
            "after": outcome.after,
            "before_header": "host",
            "after_header": "host",
        },
    )
