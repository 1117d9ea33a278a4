# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ldirectord and mon are given, against what the role would put into the table itself."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.module_utils._host import director_state, protocol_check
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, health_state, persist, plan, rules
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.ipvs_entries import table_entries
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import unit_files
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import program
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import expected

ROLE = Path(__file__).resolve().parents[4] / "roles" / "director"
ALERT = ROLE / "files" / "lvs.alert"
CASE = Path(__file__).parent / "cases" / "mon"


def cluster() -> Cluster:
    inventory = yaml.safe_load((CASE / "inventory.yml").read_text())
    return build_cluster(
        yaml.safe_load((CASE / "description.yml").read_text()), inventory["groups"], inventory["hostvars"]
    )


def director(**settings: Any) -> dict[str, Any]:
    return support.director(cluster(), "lb1", lvs_nat_gateway="192.0.2.1", **settings)


def files_of(checker: str) -> dict[str, str]:
    given = director(director_health_checker=checker)["health_checker"]
    return {file["path"]: file["content"] for file in given["files"]}


def files_of_mon() -> dict[str, str]:
    return files_of("mon")


def test_mon_has_the_table_that_the_role_would_make() -> None:
    patches = health_state.wanted(json.loads(files_of_mon()["/etc/lvs-cluster/health.json"]), (), ())
    unchecked = [
        replace(item, service=replace(item.service, health_check=None, sorry_server=None))
        for item in cluster().resolved
    ]
    expected = plan.plan({}, arguments.services(table_entries(unchecked))).predicted
    assert rules.render(plan.plan({}, patches).predicted) == rules.render(expected)
    given = director(director_health_checker="mon")
    assert given["services"] == []
    assert len(given["owned_elsewhere"]) == len(patches)


def test_mon_watches_each_real_server_by_another_name() -> None:
    files = files_of_mon()
    entries = json.loads(files["/etc/lvs-cluster/health.json"])
    watches = [server["watch"] for entry in entries for server in entry["real_servers"]]
    assert len(watches) == len(set(watches)) > 10
    lines = files["/etc/lvs-cluster/mon.cf"].splitlines()
    assert [line.split()[1] for line in lines if line.startswith("watch ")] == watches
    assert [line.split()[1] for line in lines if line.startswith("hostgroup ")] == watches


@pytest.mark.parametrize("checker", ["ldirectord", "mon"])
def test_keepalived_is_left_the_vips(checker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CASE", CASE.with_name(checker))
    given = director(director_health_checker=checker)
    assert "virtual_server" not in given["keepalived"]
    assert "virtual_ipaddress" in given["keepalived"]
    assert given["drain_files"]  # their directory is for all of them


def test_only_who_changes_the_user_needs_one() -> None:
    assert director(director_health_checker="mon")["script_user"] == ""


@pytest.mark.parametrize("name", ["monit", "", None, 1, ["mon"]])
def test_nobody_else(name: object) -> None:
    with pytest.raises(ModelError) as caught:
        director(director_health_checker=name)
    wanted = expected(Code.UNKNOWN_WORD, "director_health_checker", "", show(name), "a health checker")
    wanted.check(caught.value.problems[0])


def test_a_command_is_not_a_shell_s() -> None:
    script = program("/opt/ask; rm -rf /tmp/* > x", "asker", 5)
    assert script.splitlines()[2:] == [
        'exec setpriv --reuid=asker --regid="$(id -g asker)" --init-groups \\',
        "    --inh-caps=-all --ambient-caps=-all --no-new-privs -- \\",
        "    timeout 5 '/opt/ask;' rm -rf '/tmp/*' '>' x",
    ]


@pytest.mark.parametrize("checker", ["ldirectord", "mon"])
def test_the_role_removes_all_that_it_has_given(checker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CASE", CASE.with_name(checker))
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    removed = variables["director_checkers"][checker]["files"]
    given = [file["path"] for file in director(director_health_checker=checker)["health_checker"]["files"]]
    given += [file["path"] for file in variables["director_checker_programs"][checker]]
    assert not [path for path in given if path not in removed and str(Path(path).parent) not in removed]


@pytest.mark.parametrize("checker", ["keepalived", "ldirectord", "mon"])
def test_the_role_delivers_the_program_that_commands_run_and_removes_it(
    checker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        f"{__name__}.CASE", CASE.with_name("protocols" if checker == "keepalived" else f"protocols_{checker}")
    )
    given = director(director_health_checker=checker)
    path = given["check_program"]
    texts = given["keepalived"] + "".join(file["content"] for file in given["health_checker"]["files"])
    assert set(re.findall(r"/usr/bin/python3 -I (\S+) (?:ldap|redis|https) ", texts)) == {path}
    assert given["script_user"] == ("" if checker == "mon" else "keepalived_script")
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    (file,) = variables["director_check_program_files"]
    # what keepalived runs is one of its files, so it is removed when it is no longer needed
    assert (file["path"], file["mode"], file.get("on_change")) == ("{{ director_model.check_program }}", "0644", None)
    header, source = re.findall(r"'([^']*(?:lost|\.py)[^']*)'", file["content"])
    assert header == f"{unit_files.HEADER}\n"
    assert (ROLE / source.lstrip("/")).samefile(protocol_check.__file__)
    removed = variables["director_checkers"].get(checker, {}).get("files", [])
    assert str(Path(path).parent) in removed or path in (ROLE / "tasks" / "absent.yml").read_text()


def test_only_directors_that_need_the_program_get_it() -> None:
    for checker in ("keepalived", "mon"):
        assert "check_program" not in director(director_health_checker=checker)


def test_mon_runs_commands_as_its_own_user_although_keepalived_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no right to change the user, and keepalived runs commands about VRRP."""
    monkeypatch.setattr(f"{__name__}.CASE", CASE.with_name("own_checks_mon"))
    given = director(director_health_checker="mon", director_notify={"master": "/usr/local/bin/tell"})
    assert given["script_user"] == "keepalived_script"
    commands = [file for file in given["health_checker"]["files"] if "/checks/" in file["path"]]
    assert commands
    assert not [file for file in commands if "--reuid" in file["content"]]


def test_the_units_of_the_role_are_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert sorted(variables["director_checkers"]) == sorted(director_state.UNITS)
    units = {"lvs-cluster-addresses": pair_without_checker(monkeypatch)["addresses_unit"]}
    for name in ("ldirectord", "mon"):
        monkeypatch.setattr(f"{__name__}.CASE", CASE.with_name(name))
        units[name] = files_of(name)[f"/etc/systemd/system/{name}.service"]
    for name, files in director_state.UNITS.items():
        assert director_state.is_our_unit(units[name]), name
        # a removal that is interrupted before its end is found again
        removed = variables["director_checkers"][name]["files"]
        assert set(files) < set(removed), name
        assert removed[-1] == f"/etc/systemd/system/{name}.service"
    # Debian's own, in usr/lib/systemd/system/ldirectord.service.
    assert not director_state.is_our_unit("[Unit]\nDescription=Monitor and administer real servers in a LVS cluster\n")
    assert not director_state.is_our_unit("")


def pair_without_checker(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(f"{__name__}.CASE", CASE.with_name("dr_two_directors"))
    (name, *_others) = yaml.safe_load((CASE / "inventory.yml").read_text())["groups"]["directors"]
    return support.director(cluster(), name, lvs_nat_gateway="192.0.2.1")


def test_what_applies_mons_results_is_the_program_that_is_there() -> None:
    text = files_of_mon()["/etc/systemd/system/lvs-cluster-health.service"]
    assert f"ExecStart=/usr/bin/python3 -I {persist.ARCHIVE} health apply\n" in text


def test_mon_runs_nothing_as_root_and_has_no_capability_but_to_ping() -> None:
    files = files_of_mon()
    text = files["/etc/systemd/system/mon.service"]
    assert re.findall(r"^Exec.*=[-@:]*[+!].*", text, re.MULTILINE) == []
    assert re.findall(r"^(?:CapabilityBoundingSet|AmbientCapabilities)=(.*)", text, re.MULTILINE) == 2 * ["CAP_NET_RAW"]
    assert "User=mon\n" in text
    assert "NoNewPrivileges=yes\n" in text
    assert "python" not in ALERT.read_text()


def test_mon_has_no_capability_where_nothing_is_pinged() -> None:
    inventory = yaml.safe_load((CASE / "inventory.yml").read_text())
    services = yaml.safe_load((CASE / "description.yml").read_text())
    asked = [service for service in services if service.get("health_check", {}).get("type") != "ping"]
    model = build_cluster(asked, inventory["groups"], inventory["hostvars"])
    given: dict[str, Any] = support.director(model, "lb1", lvs_nat_gateway="192.0.2.1", director_health_checker="mon")
    (text,) = [file["content"] for file in given["health_checker"]["files"] if file["path"].endswith("/mon.service")]
    assert "\nCapabilityBoundingSet=\n" in text
    assert "AmbientCapabilities" not in text


def test_systemd_looks_for_what_mons_alert_makes_last() -> None:
    files = files_of_mon()
    assert f"\nPathExists={health_state.CHANGED}\n" in files["/etc/systemd/system/lvs-cluster-health.path"]
    assert f"\nfailed={health_state.FAILED}\n" in ALERT.read_text()
    assert ALERT.read_text().endswith('\n: >"$failed/changed"\n')
    assert f"{health_state.FAILED}/changed" == health_state.CHANGED
    assert f"\nExecReload=/bin/touch {health_state.CHANGED}\n" in files["/etc/systemd/system/mon.service"]
    # However many alerts there are, systemd neither stops to look nor refuses to start it.
    for name in ("path", "service"):
        assert "\nStartLimitIntervalSec=0\n" in files[f"/etc/systemd/system/lvs-cluster-health.{name}"]


def test_mons_alert_writes_down_what_it_is_told(tmp_path: Path) -> None:
    alert = tmp_path / "lvs.alert"
    failed = tmp_path / "failed"
    failed.mkdir()
    alert.write_text(ALERT.read_text().replace(health_state.FAILED, str(failed)))
    watch = "web_80_192.0.2.11_80"
    for says, there in (("failed", [watch]), ("failed", [watch]), ("well", []), ("well", [])):
        (failed / "changed").unlink(missing_ok=True)
        words = ["sh", str(alert), "-s", "health", "-u", says]
        subprocess.run(words, env={"PATH": "/usr/bin:/bin", "MON_GROUP": watch}, check=True, timeout=15)
        assert sorted(path.name for path in failed.iterdir()) == sorted([*there, "changed"])


@pytest.mark.parametrize(("checker", "group"), [("ldirectord", "root"), ("mon", "mon")])
def test_only_who_has_to_reads_commands_and_paths(checker: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CASE", CASE.with_name(checker))
    modes = {
        file["path"]: (file["mode"], file["group"])
        for file in director(director_health_checker=checker)["health_checker"]["files"]
    }
    units = {path: mode for path, mode in modes.items() if path.startswith("/etc/systemd/system/")}
    assert set(units.values()) == {("0644", "root")}
    assert {mode for path, mode in modes.items() if "/checks/" in path} == {("0750", group)}
    assert modes[f"/etc/lvs-cluster/{checker}.cf"] == ("0640", group)
    assert modes.get("/etc/lvs-cluster/health.json", ("0640", "root")) == ("0640", "root")
