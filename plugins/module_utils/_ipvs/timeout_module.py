# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the modules that set timeouts and the code that does the work.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible.module_utils.basic import AnsibleModule

from . import module, settings, timeouts
from .kernel import Ipvs


def prepare(ansible: AnsibleModule, params: module.Result) -> Callable[[], module.Result]:
    """Return what does the work of the module ipvs_timeout and returns its result. It raises what settings raises.

    ``params`` are the arguments of that module. Raises InvalidValue.
    """
    present = params["state"] == "present"
    given = timeouts.from_arguments(params) if present else {}
    if params["persist"] or not present:
        return lambda: _keep(ansible, given)
    if not given:
        ansible.fail_json(msg="one of the following is required: tcp, tcp_fin, udp")
    return lambda: _set(ansible, given)


def _set(ansible: AnsibleModule, given: dict[str, int]) -> module.Result:
    with Ipvs(load=not ansible.check_mode) as ipvs:
        change, now = settings.set_timeouts(ipvs, given, ansible.check_mode)
    return module.change("IPVS timeouts", change, timeouts=now._asdict())


def _keep(ansible: AnsibleModule, given: dict[str, int]) -> module.Result:
    """Set what is given, put back what is kept and no longer given, and keep what is given."""
    from . import persist

    old = persist.recorded_timeouts()
    python = module.boot_command(ansible) if given else ""
    changes: list[persist.Kept] = []

    def keep(kept: Mapping[str, timeouts.Kept]) -> None:
        changes.append(persist.to_keep_timeouts(kept, python))
        persist.carry_out(changes[0], lambda arguments: module.systemctl(ansible, arguments))

    with Ipvs(load=not ansible.check_mode and bool(given), needed=bool(given)) as ipvs:
        change, now, kept = settings.keep_timeouts(ipvs, given, old, ansible.check_mode, keep)
    files = changes[0] if changes else persist.to_keep_timeouts(kept, python)
    result = module.change("IPVS timeouts", change, timeouts=now._asdict())
    diffs = ([result["diff"]] if change.changed else []) + files.diff()
    return {**result, "changed": change.changed or files.changed, "diff": diffs}
