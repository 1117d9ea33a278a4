# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the module service_config and the code that does the work: read, plan, validate, carry out, report.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._host.capability import require_root
from .._host.errors import HostError
from .._host.respawn import fail_without_library, respawn_with_library
from .._host.runner import runner
from .._host.service_plan import RELOAD, ServicePlan, ServiceState
from .._host.systemd import booted
from .converge import ConvergeError
from .handover import Handover
from .kernel import KernelError, LibraryMissing
from .model import InvalidValue
from .service import Service, parse_task


def run(module: AnsibleModule) -> None:
    """Bring the unit to what the arguments say; ends the process with what changed or one sentence of why not."""
    run_command = runner(module)
    try:
        task = parse_task(module.params)
        require_root()
        if not booted():
            raise HostError("systemd does not run on this host, so it has no services to manage")
        service = Service(task, run_command, handover=Handover(run_command, warn=module.warn))
        state = service.read()
        plan = service.plan(state)
        restarts = bool(task.may_restart and task.keep and (plan.missing or plan.action == RELOAD))
        if (service.kept(plan) or plan.orphans or restarts) and not module.check_mode:
            respawn_with_library(module)
        service.validate(plan, module.check_mode)
        if not module.check_mode:
            for step in service.steps(state, plan):
                step()
    except LibraryMissing as error:
        fail_without_library(module, error, "to keep virtual services in the IPVS table")
    except (HostError, InvalidValue, KernelError, ConvergeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=plan.changed,
        running=state.unit.active,
        action=plan.action,
        differences=[difference.as_dict() for difference in plan.differences],
        **({"diff": _diff(state, plan)} if module._diff else {}),
    )


def _diff(state: ServiceState, plan: ServicePlan) -> list[dict[str, Any]]:
    """The files that change, and one part for everything else."""
    parts = []
    for file in plan.write:
        found = state.files.get(file.path)
        before = "" if found is None else found.content.decode("utf-8", "replace")
        parts.append(_part(file.path, before, file.content))
        if found is not None and before == file.content:
            parts[-1] = _part(
                f"{file.path} (owner and mode)",
                f"{found.owner}:{found.group} {found.mode}\n",
                f"{file.owner}:{file.group} {file.mode}\n",
            )
    for path in plan.remove:
        gone = state.files.get(path)
        parts.append(_part(path, "" if gone is None else gone.content.decode("utf-8", "replace"), ""))
    others = [one for one in plan.differences if one.kind != "file"]
    if others:
        before, after = ("".join(f"{one.kind} {one.name}: {text}\n" for one, text in side) for side in _sides(others))
        parts.append(_part("service", before, after))
    return parts


def _sides(others: list[Any]) -> tuple[list[tuple[Any, str]], list[tuple[Any, str]]]:
    return [(one, one.found) for one in others], [(one, one.wanted) for one in others]


def _part(name: str, before: str, after: str) -> dict[str, Any]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}
