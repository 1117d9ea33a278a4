# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the modules of the host side and the code that does the work: the only file here that knows Ansible.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule

from .capability import require_root
from .errors import HostError, MissingLibrary
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
        if module.params.get("state") == "absent" and _never_set_up(traces):
            module.exit_json(changed=False, diff={"before": "", "after": ""})
        fail_without_library(module, error, "to read and change addresses")
    except HostError as error:
        module.fail_json(msg=str(error))
    finally:
        target.close()
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**_result(outcome))


def _never_set_up(traces: Collection[str]) -> bool:
    return bool(traces) and not any(map(os.path.lexists, traces))


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


@dataclass(frozen=True)
class Part:
    """One of several things that a module brings to what the arguments say, as `run` has them."""

    name: str
    parse: Callable[[], Any]
    converge: Callable[[Target, Any, bool], Outcome]
    traces: Collection[str] = ()


def run_parts(module: AnsibleModule, parts: Sequence[Part]) -> None:
    """Bring this host to what the arguments say, part after part; ends the process as `run` does.

    All arguments are read before anything is changed. A part that fails undoes what it has changed, and those before it
    stay: what they set up stands alone, and the next run goes on from there.
    """
    target = Target(runner(module))
    done: dict[str, dict[str, Any]] = {}
    try:
        wanted = [(part, part.parse()) for part in parts]
        require_root()
        for part, one in wanted:
            try:
                outcome = part.converge(target, one, module.check_mode)
            except MissingLibrary as error:
                respawn_with_library(module)  # from the first part on, which finds what it has done
                if module.params.get("state") != "absent" or not _never_set_up(part.traces):
                    fail_without_library(module, error, "to read and change addresses")
                continue
            for warning in outcome.warnings:
                module.warn(warning)
            done[part.name] = _result(outcome)
    except HostError as error:
        changed = any(result["changed"] for result in done.values())
        module.fail_json(msg=str(error), changed=changed, parts=done)
    finally:
        target.close()
    leftovers = [line for result in done.values() for line in result.get("leftovers", [])]
    module.exit_json(
        changed=any(result["changed"] for result in done.values()),
        **({"leftovers": leftovers} if any("leftovers" in result for result in done.values()) else {}),
        parts=done,
        diff=[result["diff"] for result in done.values()],
    )
