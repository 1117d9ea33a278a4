# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply, read back, for the timeouts and sync daemons of IPVS."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping

from ansible.module_utils.basic import AnsibleModule

from .._host.difference import as_dicts
from . import daemon, module, netlink, timeouts
from .converge import ConvergeError, in_words
from .kernel import Ipvs, KernelError, LibraryMissing, explain
from .module import NO_CHANGE, Change


def set_timeouts(ipvs: Ipvs, given: Mapping[str, int], check_mode: bool) -> tuple[Change, timeouts.Timeouts]:
    """Set timeouts by name; return the change, and all of them afterwards. Raises KernelError, ConvergeError."""
    current = timeouts.decode(ipvs.numbers(netlink.GET_CONFIG))
    predicted = timeouts.merged(current, given)
    if predicted == current:
        return NO_CHANGE, current
    if not check_mode:
        code = ipvs.command(netlink.SET_CONFIG, timeouts.encode(given))
        if code:
            raise ConvergeError(f"cannot set the timeouts of IPVS: {explain(code)}; nothing was changed")
        actual = timeouts.decode(ipvs.numbers(netlink.GET_CONFIG))
        if actual != predicted:
            raise ConvergeError(
                "the kernel acknowledged the timeouts, but they did not last: expected"
                f" {timeouts.render(predicted).strip()}, found {timeouts.render(actual).strip()}"
            )
    from .differences import of_timeouts

    change = Change(timeouts.render(current), timeouts.render(predicted), of_timeouts(current, predicted))
    return change, predicted


Keep = Callable[[Mapping[str, timeouts.Kept]], None]


def keep_timeouts(
    ipvs: Ipvs,
    given: Mapping[str, int],
    old: Mapping[str, timeouts.Kept],
    check_mode: bool,
    keep: Keep = lambda kept: None,
) -> tuple[Change, timeouts.Timeouts, dict[str, timeouts.Kept]]:
    """Set timeouts and restore those in ``old`` that are not given. Also return those to keep, with former values.

    ``keep`` is called with those too, except in check mode. If it raises OSError, the timeouts are restored.
    Raises KernelError, ConvergeError.
    """
    back = {name: one.before for name, one in old.items() if name not in given and one.before}
    try:
        current = timeouts.decode(ipvs.numbers(netlink.GET_CONFIG))
    except LibraryMissing:
        if given or back:
            raise
        current = timeouts.Timeouts()  # nothing to do needs the library
    # The kernel loses its timeouts when the module is unloaded.
    wanted = {**back, **given} if given or (back and ipvs.opened()) else {}
    change, now = set_timeouts(ipvs, wanted, check_mode) if wanted else (NO_CHANGE, current)
    kept = {
        name: timeouts.Kept(value, old[name].before if name in old else current._asdict()[name])
        for name, value in given.items()
    }
    if not check_mode:
        try:
            keep(kept)
        except OSError as error:
            fate = _timeouts_back(ipvs, current, change)
            raise ConvergeError(f"cannot keep the timeouts across reboots: {in_words(error)}; {fate}") from error
    return change, now, kept


def _timeouts_back(ipvs: Ipvs, before: timeouts.Timeouts, change: Change) -> str:
    if not change.changed:
        return "the timeouts were not changed"
    try:
        code = ipvs.command(netlink.SET_CONFIG, timeouts.encode(before._asdict()))
    except KernelError as error:
        return f"restoring the timeouts failed as well: {error}"
    return f"restoring the timeouts failed as well: {explain(code)}" if code else "the timeouts were restored"


def read_daemons(ipvs: Ipvs) -> dict[str, daemon.SyncDaemon]:
    """Return the daemons that run, by role; none if IPVS is not loaded."""
    return dict(daemon.decode(data, message) for data, message in ipvs.ask(netlink.GET_DAEMON))


def set_daemons(
    ipvs: Ipvs, roles: list[str], patch: daemon.DaemonPatch | None, check_mode: bool
) -> tuple[Change, daemon.Daemons]:
    """Start, change or (``patch`` is None) stop daemons; return the change, and all that run afterwards.

    Raises InvalidValue, KernelError, and ConvergeError if the kernel refuses: the daemons are then restored.
    """
    current = read_daemons(ipvs)
    steps, predicted = daemon.plan(current, roles, patch)
    if not steps:
        return NO_CHANGE, current
    actual: daemon.Daemons = predicted
    if not check_mode:
        _carry_out(ipvs, steps, current, roles)
        actual = read_daemons(ipvs)
        wrong = daemon.differing(predicted, actual, roles)
        if wrong:
            raise ConvergeError(
                f"the kernel acknowledged the sync daemon {wrong[0]}, but it differs from the request: expected"
                f" {daemon.render(predicted, wrong).strip() or 'none'}, found"
                f" {daemon.render(actual, wrong).strip() or 'none'}"
            )
    from .differences import of_daemons

    before, after = (daemon.render(one, roles) for one in (current, predicted))
    return Change(before, after, of_daemons(current, predicted, roles)), actual


def _carry_out(ipvs: Ipvs, steps: Iterable[daemon.Step], before: daemon.Daemons, roles: list[str]) -> None:
    for step in steps:
        code = ipvs.command(*daemon.encode(step))
        if code and not (step.daemon is None and code == errno.ESRCH):  # it is stopped already
            problem = f"cannot {'start' if step.daemon else 'stop'} sync daemon {step.role}: {_reason(code, step)}"
            raise ConvergeError(f"{problem}; {_put_back(ipvs, before, roles)}")


def _reason(code: int, step: daemon.Step) -> str:
    name = errno.errorcode.get(code, str(code))
    if code == errno.ENODEV and step.daemon:
        return f"there is no interface {step.daemon.interface} ({name})"
    if code == errno.EEXIST:
        return f"another process has started one ({name})"
    if code == errno.EINVAL:
        return f"the kernel does not start one while a real server is of another family than its service ({name})"
    if code == errno.EADDRNOTAVAIL:
        return f"the interface has no address of the multicast group's family ({name})"
    return explain(code)


def _put_back(ipvs: Ipvs, before: daemon.Daemons, roles: list[str]) -> str:
    back = daemon.way_back(before, read_daemons(ipvs), roles)
    for step in back:
        code = ipvs.command(*daemon.encode(step))
        if code:
            return f"sync daemon {step.role} could not be restored either: {_reason(code, step)}"
    return "the daemons run as before" if back else "nothing was changed"


def prepare_timeouts(ansible: AnsibleModule, params: module.Result) -> Callable[[], module.Result]:
    """Return a function that does the work of ipvs_timeout and returns its result. It raises the exceptions of
    settings.

    ``params`` are the arguments of that module. Raises InvalidValue.
    """
    present = params["state"] == "present"
    given = timeouts.from_arguments(params) if present else {}
    if params["persist"] or not present:
        return lambda: _keep_given(ansible, given)
    if not given:
        ansible.fail_json(msg="one of the following is required: tcp, tcp_fin, udp")
    return lambda: _set_given(ansible, given)


def _set_given(ansible: AnsibleModule, given: dict[str, int]) -> module.Result:
    with Ipvs(load=not ansible.check_mode) as ipvs:
        change, now = set_timeouts(ipvs, given, ansible.check_mode)
    return module.change("IPVS timeouts", change, timeouts=now._asdict(), differences=as_dicts(change.differences))


def _keep_given(ansible: AnsibleModule, given: dict[str, int]) -> module.Result:
    """Set and keep the given timeouts, and restore those that were kept and are no longer given."""
    from . import boot, persist

    old = boot.recorded_timeouts()
    python = boot.command_at_boot(ansible) if given else ""
    changes: list[persist.Kept] = []

    def keep(kept: Mapping[str, timeouts.Kept]) -> None:
        changes.append(boot.to_keep_timeouts(kept, python))
        persist.carry_out(changes[0], lambda arguments: persist.systemctl(ansible, arguments))

    with Ipvs(load=not ansible.check_mode and bool(given), needed=bool(given)) as ipvs:
        change, now, kept = keep_timeouts(ipvs, given, old, ansible.check_mode, keep)
    files = changes[0] if changes else boot.to_keep_timeouts(kept, python)
    result = module.change("IPVS timeouts", change, timeouts=now._asdict())
    diffs = ([result["diff"]] if change.changed else []) + files.diff()
    changed = change.changed or files.changed
    differences: list[dict[str, str]] = []
    if changed:
        from .differences import of_files

        differences = as_dicts([*change.differences, *of_files(files)])
    return {**result, "changed": changed, "diff": diffs, "differences": differences}
