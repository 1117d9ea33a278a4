# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""service_config on a simulated host: what is read, runs that are killed, services that change hands or are lost."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.director_state import without_services
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.service_plan import Applied, parse_applied
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import parse_address
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.unit_config import (
    keepalived_identity,
    key_of,
    parse_task,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs.simulated_unit import (
    CONFIGURATION,
    DRAIN,
    HANDOVER,
    Host,
    Killed,
    apply,
    differences,
    identity,
    key,
    parameters,
    service,
    virtual_server,
)

WEB, MAIL = "192.0.2.10", "192.0.2.20"
HEAD = "# Written by the role\nvrrp_instance lvs_ipv4 {\n    priority 200\n}\n"
BOTH = HEAD + virtual_server(WEB) + virtual_server(MAIL)
BOTH_SERVICES = [identity(WEB), identity(MAIL)]
RECORD = "/var/lib/lvs-cluster/keepalived.service.applied"
CHANGED = BOTH.replace("200", "190")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def serving(host: Host) -> Host:
    assert apply(host, parameters(BOTH, BOTH_SERVICES))
    host.calls.clear()
    return host


def test_the_first_run_starts_it_and_the_second_does_nothing(host: Host) -> None:
    task = parameters(BOTH, BOTH_SERVICES)
    assert differences(host, task) == [
        ("file", CONFIGURATION),
        ("enabled", "keepalived.service"),
        ("running", "keepalived.service"),
    ]
    assert apply(host, task)
    assert host.calls == ["enable", "start"]
    assert host.table == {key(WEB), key(MAIL)}
    assert not apply(host, task)
    assert host.calls == ["enable", "start"]


def test_a_change_is_reloaded_never_restarted(serving: Host) -> None:
    assert apply(serving, parameters(CHANGED, BOTH_SERVICES))
    assert serving.calls == ["reload"]
    assert serving.read == CHANGED


def test_what_counts_from_the_next_start_is_written_only(serving: Host) -> None:
    drop_in = {
        **parameters("")["files"][0],  # type: ignore[index]
        "path": "/etc/systemd/system/keepalived.service.d/lvs-cluster.conf",
        "content": "[Service]\n",
        "mode": "0644",
        "on_change": "nothing",
    }
    task = parameters(BOTH, BOTH_SERVICES)
    task["files"] = [*task["files"], drop_in]  # type: ignore[misc]
    assert apply(serving, task)
    assert serving.calls == ["daemon-reload"]
    assert not apply(serving, task)


UNIT = "/etc/systemd/system/lvs-cluster-addresses.service"


@pytest.mark.parametrize("steps", range(1, 5))
def test_a_unit_that_systemd_has_not_read_is_read_in_the_next_run(serving: Host, steps: int) -> None:
    task = parameters(CHANGED, BOTH_SERVICES)
    unit = {**task["files"][0], "path": UNIT, "content": "[Unit]\n", "on_change": "nothing"}  # type: ignore[index]
    task["files"] = [unit, *task["files"]]  # type: ignore[misc]
    with pytest.raises(Killed):
        apply(serving, task, steps)
    read = "daemon-reload" in serving.calls
    serving.calls.clear()
    assert apply(serving, task)
    assert read or "daemon-reload" in serving.calls
    assert not apply(serving, task)


@pytest.mark.parametrize("steps", range(1, 4))
def test_a_run_that_is_killed_is_completed_by_the_next(serving: Host, steps: int) -> None:
    task = parameters(CHANGED, BOTH_SERVICES)
    with pytest.raises(Killed):
        apply(serving, task, steps)
    serving.calls.clear()
    assert differences(serving, task), "verify sees it"
    assert apply(serving, task)
    assert serving.calls == ["reload"]
    assert serving.read == CHANGED
    assert not apply(serving, task)


def test_every_step_of_a_change_was_killed_above(serving: Host) -> None:
    work = service(serving, parameters(CHANGED, BOTH_SERVICES))
    state = work.read()
    assert len(list(work.steps(state, work.plan(state)))) == 4


def test_a_change_that_is_undone_after_a_kill_is_read_again(serving: Host) -> None:
    with pytest.raises(Killed):
        apply(serving, parameters(CHANGED, BOTH_SERVICES), 3)
    assert serving.read == CHANGED
    assert apply(serving, parameters(BOTH, BOTH_SERVICES))
    assert serving.read == BOTH
    assert not apply(serving, parameters(BOTH, BOTH_SERVICES))


def test_a_restart_by_others_reads_the_files(serving: Host) -> None:
    serving.stop()
    serving.start(at=time.time() + 60)  # a ctime cannot be set to an earlier time
    assert not apply(serving, parameters(BOTH, BOTH_SERVICES))
    assert serving.calls == []


def test_in_doubt_it_is_reloaded(serving: Host) -> None:
    serving.stop()
    serving.start()  # in the second in which the file was written
    assert differences(serving, parameters(BOTH, BOTH_SERVICES)) == [("configuration", "keepalived.service")]
    assert apply(serving, parameters(BOTH, BOTH_SERVICES))
    assert serving.calls == ["reload"]
    assert not apply(serving, parameters(BOTH, BOTH_SERVICES))


@pytest.mark.parametrize("damage", ["", "{}", '{"format": 2}', "[1", '{"format": 1, "pending": false}', "null"])
def test_a_damaged_record_means_one_more_reload(serving: Host, damage: str) -> None:
    serving.path(RECORD).write_text(damage)
    assert apply(serving, parameters(BOTH, BOTH_SERVICES))
    assert serving.calls == ["reload"]
    assert not apply(serving, parameters(BOTH, BOTH_SERVICES))


def test_a_record_is_read_as_written() -> None:
    record = Applied(True, "start1", {CONFIGURATION: "ab"}, frozenset(["tcp 192.0.2.10:80"]))
    assert parse_applied(record.text()) == record
    assert parse_applied(None) is None
    assert "format" in json.loads(record.text())


def test_a_stopped_one_is_started(serving: Host) -> None:
    serving.stop()
    task = parameters(BOTH, BOTH_SERVICES)
    assert differences(serving, task) == [("running", "keepalived.service")]
    assert apply(serving, task)
    assert serving.calls == ["start"]
    assert serving.table == {key(WEB), key(MAIL)}
    assert not apply(serving, task)


def test_a_new_directory_is_watched_from_the_reload_on(serving: Host) -> None:
    task = parameters(BOTH, BOTH_SERVICES, directories=[DRAIN])
    for steps in range(1, 3):
        with pytest.raises(Killed):
            apply(serving, task, steps)
        serving.calls.clear()
    assert apply(serving, task)
    assert serving.calls == ["reload"]
    assert not apply(serving, task)


class TestRestart:
    """A process that hangs takes a restart, and the VIPs are elsewhere meanwhile."""

    VIP = "192.0.2.10"

    @pytest.fixture
    def hanging(self, serving: Host) -> Host:
        serving.hangs = True
        serving.table.clear()
        serving.vips = {parse_address(self.VIP)}
        serving.path(DRAIN).mkdir(parents=True)
        serving.path(HANDOVER).write_text("0\n")
        return serving

    def task(self, may_restart: bool = True, pair: bool = True) -> dict[str, object]:
        handover = {"file": HANDOVER, "vips": [self.VIP]} if pair else None
        return parameters(BOTH, BOTH_SERVICES, may_restart=may_restart, handover=handover)

    @pytest.mark.parametrize(
        ("pair", "cost"),
        [
            (True, "this director releases its VIPs before, and another one takes them if it is ready"),
            (False, "the VIPs are on lo for some seconds, and neighbour discovery for them is not answered"),
        ],
    )
    def test_not_without_leave(self, hanging: Host, pair: bool, cost: str) -> None:
        with pytest.raises(HostError) as error:
            apply(hanging, self.task(may_restart=False, pair=pair))
        assert str(error.value) == (
            "keepalived.service did not add tcp 192.0.2.10:80, tcp 192.0.2.20:80 to the IPVS table after a reload, so"
            f" it must be restarted: {cost}. It is restarted if director_may_restart of the role, or may_restart of the"
            " module, is true"
        )
        assert "restart" not in hanging.calls
        assert hanging.path(HANDOVER).read_text() == "0\n"

    def test_the_vips_are_away_meanwhile(self, hanging: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []
        start = hanging.start

        def watched() -> None:
            seen.append(set(hanging.held()))
            start()

        monkeypatch.setattr(hanging, "start", watched)
        assert apply(hanging, self.task())
        assert seen == [set()]
        assert hanging.table == {key(WEB), key(MAIL)}
        assert hanging.path(HANDOVER).read_text() == "0\n"
        assert not apply(hanging, self.task())

    @pytest.mark.parametrize("may_restart", [True, False])
    def test_one_that_does_not_read_its_new_configuration(self, hanging: Host, may_restart: bool) -> None:
        hanging.table = {key(WEB), key(MAIL)}
        task = {**self.task(may_restart), "files": parameters(CHANGED)["files"]}
        if not may_restart:
            with pytest.raises(HostError, match="timed out"):
                apply(hanging, task)
            assert "restart" not in hanging.calls
            return
        assert apply(hanging, task)
        assert hanging.read == CHANGED
        assert hanging.path(HANDOVER).read_text() == "0\n"
        assert not apply(hanging, task)

    def test_a_single_director_is_restarted_at_once(self, hanging: Host) -> None:
        assert apply(hanging, self.task(pair=False))
        assert hanging.calls[-1] == "restart"
        assert hanging.table == {key(WEB), key(MAIL)}

    def test_vips_that_are_not_given_up_are_left_alone(self, hanging: Host) -> None:
        """The process that has them hangs, for example."""
        hanging.gives_up = False
        with pytest.raises(
            HostError, match=r"must be restarted, but keepalived did not release the VIPs within 30 seconds"
        ):
            apply(hanging, self.task())
        assert "restart" not in hanging.calls
        assert hanging.path(HANDOVER).read_text() == "0\n"

    def test_a_restart_that_does_not_help_keeps_the_vips_away(
        self, hanging: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hanging, "_load", lambda reload: None)
        with pytest.raises(HostError, match=r"after a restart: see journalctl -u keepalived\.service\. This dir"):
            apply(hanging, self.task())
        assert not hanging.held()
        monkeypatch.undo()
        assert apply(hanging, self.task())
        assert hanging.path(HANDOVER).read_text() == "0\n"
        assert not apply(hanging, self.task())

    @pytest.mark.parametrize("told", ["1\n", "3 joining\n"])
    def test_what_the_file_said_before_comes_back(self, hanging: Host, told: str) -> None:
        hanging.path(HANDOVER).write_text(told)
        assert apply(hanging, self.task())
        assert hanging.path(HANDOVER).read_text() == told

    def test_a_restart_that_was_interrupted_is_over_with_the_next_run(self, serving: Host) -> None:
        serving.path(DRAIN).mkdir(parents=True)
        serving.path(HANDOVER).write_text("3 restarting\n")
        assert differences(serving, self.task()) == [("file", HANDOVER)]
        assert apply(serving, self.task())
        assert serving.path(HANDOVER).read_text() == "0\n"
        assert not apply(serving, self.task())


class TestWriting:
    """All files are written, or none."""

    @staticmethod
    def task(*contents: str) -> dict[str, object]:
        one = parameters("")["files"][0]  # type: ignore[index]
        listed = [{**one, "path": f"/etc/checks/{number}", "content": text} for number, text in enumerate(contents)]
        return parameters("", add_missing="none") | {"files": listed}

    @pytest.mark.parametrize("bad", range(3))
    def test_one_that_cannot_be_written_leaves_all_as_they_were(
        self, host: Host, bad: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        apply(host, self.task("a", "b", "c"))
        host.calls.clear()
        replace = os.replace

        def failing(source: str, target: str) -> None:
            if target.endswith(f"/checks/{bad}") and Path(source).read_text() == "new":
                raise OSError(28, "No space left on device")
            replace(source, target)

        monkeypatch.setattr(os, "replace", failing)
        with pytest.raises(HostError, match="No space left"):
            apply(host, self.task("new", "new", "new"))
        monkeypatch.undo()
        directory = host.path("/etc/checks")
        assert {path.name: path.read_text() for path in directory.iterdir()} == {"0": "a", "1": "b", "2": "c"}
        assert host.calls == []
        assert apply(host, self.task("new", "new", "new"))
        assert not apply(host, self.task("new", "new", "new"))

    @pytest.mark.parametrize("killed", range(3))
    def test_a_run_that_is_killed_between_two_files(
        self, host: Host, killed: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        apply(host, self.task("a", "b", "c"))
        host.calls.clear()
        replace = os.replace

        def dying(source: str, target: str) -> None:
            if target.endswith(f"/checks/{killed}"):
                raise Killed
            replace(source, target)

        monkeypatch.setattr(os, "replace", dying)
        with pytest.raises(Killed):
            apply(host, self.task("A", "B", "C"))
        monkeypatch.undo()
        assert host.calls == []
        assert apply(host, self.task("A", "B", "C"))
        assert host.calls == ["reload"]
        assert not apply(host, self.task("A", "B", "C"))

    def test_a_file_that_is_no_longer_listed_goes(self, host: Host) -> None:
        apply(host, self.task("a", "b"))
        host.calls.clear()
        task = self.task("a")
        assert differences(host, task) == [("file", "/etc/checks/1")]
        assert apply(host, task)
        assert host.calls == ["reload"]
        assert not host.path("/etc/checks/1").exists()
        assert not apply(host, task)

    def test_an_unknown_group_is_named(self, host: Host) -> None:
        task = self.task("a")
        task["files"][0]["group"] = "no-such-group"  # type: ignore[index]
        with pytest.raises(HostError, match="/etc/checks/0: group: this host has no group no-such-group"):
            apply(host, task)
        assert not host.path("/etc/checks/0").exists()


class TestValidation:
    """Candidates are validated before any file changes, in check mode too."""

    @staticmethod
    def validated(text: str, **more: object) -> dict[str, object]:
        task = parameters(text, BOTH_SERVICES)
        task["files"][0] |= {"validate": ["validate", "%s"], **more}  # type: ignore[index]
        return task

    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = "ansible_collections.lvs.cluster.plugins.module_utils._host.service_unit.has_command"
        monkeypatch.setattr(module, lambda name: name == "validate")

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_what_is_refused_is_not_written(self, serving: Host, check_mode: bool) -> None:
        serving.refused = "priority 190"
        work = service(serving, self.validated(CHANGED))
        plan = work.plan(work.read())
        with pytest.raises(HostError) as error:
            work.validate(plan, check_mode)
        assert str(error.value) == (
            f"validate refuses {CONFIGURATION}, and no file was changed: {CONFIGURATION}: unknown keyword"
        )
        assert serving.path(CONFIGURATION).read_text() == BOTH

    def test_the_text_for_the_validator_can_be_another(self, serving: Host) -> None:
        serving.refused = "priority 190"
        assert apply(serving, self.validated(CHANGED, validate_content="script_user root\n"))
        assert serving.path(CONFIGURATION).read_text() == CHANGED

    def test_paths_that_do_not_exist_yet_are_stood_in_for(self, host: Host) -> None:
        seen = []
        run = host.run

        def looking(command: list[str]) -> tuple[int, str, str]:
            if command[0] == "validate":
                seen.append(Path(command[1]).read_text())
                watched, other = seen[-1].splitlines()[:2]
                assert Path(watched).parent.is_dir()
                assert Path(other).read_text() == "program"
            return run(command)

        host.run = looking  # type: ignore[method-assign]
        task = self.validated(f"{DRAIN}/director\n/etc/checks/program\n")
        other = {**task["files"][0], "path": "/etc/checks/program", "content": "program", "validate": []}  # type: ignore[index]
        task["files"] = [*task["files"], other]  # type: ignore[misc]
        task["directories"] = [DRAIN]
        apply(host, task)
        assert len(seen) == 1
        assert host.path(CONFIGURATION).read_text().startswith(DRAIN)

    def test_a_program_that_is_absent(self, host: Host) -> None:
        task = self.validated(BOTH, validate=["keepalived", "--config-test", "--use-file=%s"])
        work = service(host, task)
        plan = work.plan(work.read())
        work.validate(plan, check_mode=True)
        with pytest.raises(HostError, match="cannot be validated: keepalived is not installed"):
            work.validate(plan, check_mode=False)

    def test_a_good_status_of_its_own(self, serving: Host) -> None:
        serving.refused = "priority 190"
        assert apply(serving, self.validated(CHANGED, validate_status=5))


class TestServicesThatGoOn:
    """A health check is removed: keepalived removes the service, and it stays for the role."""

    ONE = HEAD + virtual_server(MAIL)

    def test_one_run_is_enough(self, serving: Host) -> None:
        task = parameters(self.ONE, [identity(MAIL)], keep=BOTH_SERVICES)
        assert apply(serving, task)
        assert serving.table == {key(WEB), key(MAIL)}
        assert serving.services(serving.read or "") == {key(MAIL)}
        assert not apply(serving, task)

    def test_one_that_is_described_no_more_goes(self, serving: Host) -> None:
        assert apply(serving, parameters(self.ONE, [identity(MAIL)], keep=[identity(MAIL)]))
        assert serving.table == {key(MAIL)}

    @pytest.mark.parametrize("steps", range(1, 4))
    def test_also_after_a_kill(self, serving: Host, steps: int) -> None:
        task = parameters(self.ONE, [identity(MAIL)], keep=BOTH_SERVICES)
        with pytest.raises(Killed):
            apply(serving, task, steps)
        assert apply(serving, task)
        assert serving.table == {key(WEB), key(MAIL)}
        assert not apply(serving, task)

    def test_without_a_record_the_former_configuration_counts(self, serving: Host) -> None:
        serving.path(RECORD).unlink()
        assert apply(serving, parameters(self.ONE, [identity(MAIL)], keep=BOTH_SERVICES))
        assert serving.table == {key(WEB), key(MAIL)}

    def test_all_of_them_stay_when_it_is_stopped(self, serving: Host) -> None:
        task = parameters("", state="stopped", keep=BOTH_SERVICES) | {"files": []}
        assert apply(serving, task)
        assert serving.calls == ["disable", "stop"]
        assert serving.table == {key(WEB), key(MAIL)}
        assert not serving.path(RECORD).exists()
        assert not apply(serving, task)

    def test_and_none_without_a_next_owner(self, serving: Host) -> None:
        assert apply(serving, parameters("", state="stopped") | {"files": []})
        assert serving.table == set()

    def test_what_a_stopped_one_leaves_behind_goes(self, serving: Host) -> None:
        serving.stop()
        serving.table = {key(WEB), key(MAIL), key("192.0.2.30")}  # mon leaves its services there
        task = parameters("", state="stopped", keep=[identity(WEB)]) | {"files": []}
        assert ("service", f"tcp {MAIL}:80") in differences(serving, task)
        assert apply(serving, task)
        assert serving.table == {key(WEB), key("192.0.2.30")}

    def test_a_service_that_comes_is_added_by_the_reload_alone(self, host: Host) -> None:
        apply(host, parameters(self.ONE, [identity(MAIL)]))
        host.calls.clear()
        host.table.add(key(WEB))  # the role's until now
        assert apply(host, parameters(BOTH, BOTH_SERVICES, keep=BOTH_SERVICES))
        assert host.calls == ["reload"]
        assert host.table == {key(WEB), key(MAIL)}


class TestAnEmptiedTable:
    """Somebody ran ipvsadm -C: keepalived takes its services to be there."""

    def test_a_reload_alone_does_not_add_them(self, serving: Host) -> None:
        serving.table.clear()
        serving.run(["systemctl", "reload"])
        assert serving.table == set()

    @pytest.mark.parametrize("text", [BOTH, CHANGED])
    def test_they_are_added_without_a_restart(self, serving: Host, text: str) -> None:
        serving.table.clear()
        task = parameters(text, BOTH_SERVICES)
        assert ("service", f"tcp {WEB}:80") in differences(serving, task)
        assert apply(serving, task)
        assert set(serving.calls) == {"reload"}
        assert serving.starts == 1
        assert serving.table == {key(WEB), key(MAIL)}
        assert serving.path(CONFIGURATION).read_text() == text
        assert not apply(serving, task)

    def test_those_that_are_there_are_not_touched(self, serving: Host) -> None:
        serving.table.remove(key(MAIL))
        removed = []
        load = serving._load

        def watching(reload: bool) -> None:
            load(reload)
            removed.append(key(WEB) not in serving.table)

        serving._load = watching  # type: ignore[method-assign]
        assert apply(serving, parameters(BOTH, BOTH_SERVICES))
        assert len(removed) >= 2
        assert not any(removed)
        assert serving.table == {key(WEB), key(MAIL)}

    @pytest.mark.parametrize("calls", range(1, 4))
    def test_a_kill_in_between_is_completed_by_the_next_run(self, serving: Host, calls: int) -> None:
        serving.table.clear()
        task = parameters(BOTH, BOTH_SERVICES)
        run = serving.run
        left = calls

        def dying(command: list[str]) -> tuple[int, str, str]:
            nonlocal left
            if command[1] == "reload":
                left -= 1
                if left == 0:
                    raise Killed
            return run(command)

        serving.run = dying  # type: ignore[method-assign]
        if calls <= 2:
            with pytest.raises(Killed):
                apply(serving, task)
        else:
            assert apply(serving, task)
        serving.run = run  # type: ignore[method-assign]
        if calls <= 2:
            assert apply(serving, task)
        assert serving.table == {key(WEB), key(MAIL)}
        assert not apply(serving, task)

    def test_one_that_cannot_be_helped_is_said_with_the_remedy(self, serving: Host) -> None:
        serving.table.clear()
        serving._load = lambda reload: None  # type: ignore[method-assign]
        with pytest.raises(HostError) as error:
            apply(serving, parameters(BOTH, BOTH_SERVICES))
        services = "tcp 192.0.2.10:80, tcp 192.0.2.20:80"
        assert f"keepalived.service did not add {services} to the IPVS table" in str(error.value)
        assert "It is restarted if director_may_restart" in str(error.value)
        assert serving.path(CONFIGURATION).read_text() == BOTH


def test_blocks_of_services_are_cut_out() -> None:
    assert without_services(BOTH, [keepalived_identity(key(WEB))]) == HEAD + "\n" + virtual_server(MAIL)
    assert without_services(BOTH, [keepalived_identity(key(WEB)), keepalived_identity(key(MAIL))]) == HEAD + "\n\n"
    assert without_services(BOTH, []) == BOTH
    assert without_services("virtual_server 192.0.2.10 80 {", [keepalived_identity(key(WEB))]).endswith("{")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "etc/x"}, "files: path: 'etc/x' must be the absolute path of a file"),
        ({"mode": "rw"}, f"files: mode of {CONFIGURATION}: 'rw' must be octal digits in quotes, as '0644'"),
        ({"validate": ["true"]}, f"files: validate of {CONFIGURATION}: it must have %s for the path of the file"),
    ],
)
def test_arguments_that_cannot_be(change: dict[str, object], message: str) -> None:
    task = parameters("x")
    task["files"][0] |= change  # type: ignore[index]
    with pytest.raises(HostError) as error:
        parse_task(task)
    assert str(error.value) == message


def test_a_file_twice() -> None:
    task = parameters("x")
    task["files"] *= 2  # type: ignore[operator]
    with pytest.raises(HostError, match="is listed twice"):
        parse_task(task)


def test_owner_and_mode_are_put_right_without_a_reload(serving: Host) -> None:
    serving.path(CONFIGURATION).chmod(0o644)
    task = parameters(BOTH, BOTH_SERVICES)
    assert differences(serving, task) == [("file", CONFIGURATION)]
    assert apply(serving, task)
    assert serving.calls == []
    assert serving.path(CONFIGURATION).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "rule", ["-t 192.0.2.10:80", "-u [2001:db8::10]:53", "--sctp-service 192.0.2.10:0", "-f 21 -6", "-f 4294967295"]
)
def test_names_of_services_are_keys(rule: str) -> None:
    (patch,) = rules.parse(f"-A {rule} -s rr -p 300\n")
    assert key_of(str(patch.key)) == patch.key


@pytest.mark.parametrize(
    "name", ["", "fwmark", "fwmark x ipv4", "fwmark 1 ipv5", "tcp x:80", "tcp 192.0.2.10", "icmp 192.0.2.10:1"]
)
def test_other_texts_are_no_keys(name: str) -> None:
    assert key_of(name) is None
