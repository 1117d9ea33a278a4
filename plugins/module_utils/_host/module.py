# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the modules of the host side and the code that does the work.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule

from .capability import require_root
from .errors import HostError, MissingLibrary
from .parts import Part, Work, never_set_up
from .respawn import fail_without_library, respawn_with_library
from .runner import runner
from .settle import Outcome
from .target import Target

Wanted = TypeVar("Wanted")


def run(
    module: AnsibleModule,
    parse: Callable[[], Wanted],
    converge: Callable[[Target, Wanted, bool], Outcome],
    traces: Collection[str] = (),
) -> None:
    """Bring this host to what the arguments say; ends the process with what changed or one sentence of why not.

    ``traces`` are the files of which a host has one if the module has ever changed it. A host that has none, and lacks
    the library, has nothing to remove.
    """
    target = Target(runner(module))
    try:
        wanted = parse()
        require_root()
        outcome = converge(target, wanted, module.check_mode)
    except MissingLibrary as error:
        respawn_with_library(module)  # nothing has been changed: the library is needed to read
        if module.params.get("state") == "absent" and never_set_up(traces):
            module.exit_json(changed=False, diff={"before": "", "after": ""})
        fail_without_library(module, error, "to read and change addresses")
    except HostError as error:
        module.fail_json(msg=str(error))
    finally:
        target.close()
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**_result(outcome))


def _result(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        **({} if outcome.leftovers is None else {"leftovers": list(outcome.leftovers)}),
        "diff": {
            "before": outcome.before,
            "after": outcome.after,
            "before_header": "host",
            "after_header": "host",
        },
    }


def host_part(
    module: AnsibleModule,
    target: Target,
    name: str,
    parse: Callable[[], Wanted],
    converge: Callable[[Target, Wanted, bool], Outcome],
    traces: Collection[str] = (),
    needs_pyroute2: bool = True,
) -> Part:
    """Return the part that does what `run` does."""

    def prepare() -> Work:
        wanted = parse()

        def work() -> dict[str, Any]:
            outcome = converge(target, wanted, module.check_mode)
            for warning in outcome.warnings:
                module.warn(warning)
            return _result(outcome)

        return work

    return Part(name, prepare, needs_pyroute2, traces)
