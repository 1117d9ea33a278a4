# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and e-mails about changes of state: who runs and sends them, and what a health checker cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import MAX_RECIPIENTS
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import check_all, expected

Build = Callable[[object], Cluster]
MAIL = {"to": "ops@example.net", "server": "192.0.2.25"}
NOTIFY = {"director_notify": {"master": "/usr/local/bin/master"}}


def service(**check: object) -> dict[str, Any]:
    servers = [{"address": "192.0.2.11"}]
    own = {"health_check": {"type": "tcp", **check}} if check != {"type": None} else {}
    return {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": servers, **own}


UNCHECKED = service(type=None)


def found(build: Build, described: dict[str, Any], **settings: object) -> dict[str, Any]:
    return support.director(build([described]), "lb1", **settings)


@pytest.mark.parametrize("key", ["quorum_up", "quorum_down"])
def test_a_command_for_the_quorum_needs_the_script_user(build: Build, key: str) -> None:
    given = found(build, service(**{key: "/usr/local/bin/tell"}), director_script_user="teller")
    assert given["script_user"] == "teller"
    assert "    script_user teller\n" in given["keepalived"]
    assert given["keepalived_validated"] == given["keepalived"].replace("script_user teller", "script_user root")
    with pytest.raises(ModelError) as caught:
        found(build, service(**{key: "/usr/local/bin/tell"}), director_script_user="root")
    check_all(caught.value.problems, expected(Code.ROOT, "director_script_user", "", "'root'"))


@pytest.mark.parametrize("checker", ["keepalived", "ldirectord", "mon"])
def test_a_notification_needs_the_script_user_with_every_health_checker(build: Build, checker: str) -> None:
    settings = {**NOTIFY, "director_health_checker": checker}
    given = found(build, service(), **settings)
    assert given["script_user"] == "keepalived_script"
    assert "script_user root\n" in given["keepalived_validated"]
    model = build([service()]).director("lb1", {"director_interface": "eth1", **settings})
    assert host_models.director_check(model)["users"] == ["keepalived_script"]
    with pytest.raises(ModelError) as caught:
        found(build, service(), director_script_user="root", **settings)
    check_all(caught.value.problems, expected(Code.ROOT, "director_script_user", "", "'root'"))


def test_without_vips_nothing_is_notified(build: Build) -> None:
    marked = {key: value for key, value in UNCHECKED.items() if key not in ("address", "port")}
    described = {**marked, "fwmark": 5, "family": "ipv4"}
    assert found(build, described, **NOTIFY) == found(build, described)


def test_without_e_mails_the_key_of_a_service_changes_nothing(build: Build) -> None:
    for settings in ({}, {"director_email": {**MAIL, "about": ["vrrp"]}}):
        assert found(build, service(email=False), **settings) == found(build, service(), **settings)


def test_the_commands_are_words_and_never_a_shell_s(build: Build) -> None:
    command = "/usr/local/bin/tell a; rm -rf {/} a|x x>y # z ! `w`"
    text = found(build, service(quorum_up=command), director_notify={"any": command})["keepalived"]
    assert f'    quorum_up "{command}"\n' in text
    assert f'    notify "{command}"\n' in text


@pytest.mark.parametrize("checker", ["ldirectord", "mon"])
@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [("quorum_up", "/bin/up", "'/bin/up'"), ("quorum_down", "/bin/down", "'/bin/down'"), ("omega", True, "true")],
)
def test_others_run_no_commands_for_a_quorum(build: Build, checker: str, key: str, value: object, shown: str) -> None:
    with pytest.raises(ModelError) as caught:
        found(build, service(**{key: value}), director_health_checker=checker)
    says = ("remove the key", f"director_health_checker: {checker}")
    check_all(caught.value.problems, expected(Code.NOT_FOR_CHECKER, "service web", f"health_check.{key}", shown, *says))


@pytest.mark.parametrize(
    ("changes", "key", "value", "says"),
    [
        ({"to": ["a@example.net", "b@example.net"]}, "to", "'a@example.net, b@example.net'", "only one address"),
        ({"server": "2001:db8::25"}, "server", "'2001:db8::25'", "an IPv4 address"),
        ({"server": "192.0.2.25:587"}, "server", "587", "only 25"),
        ({"helo": "lb1.example.net"}, "helo", "'lb1.example.net'", "remove the key"),
        ({"timeout": 5}, "timeout", "5", "remove the key"),
    ],
)
def test_what_ldirectord_cannot_send(build: Build, changes: dict[str, object], key: str, value: str, says: str) -> None:
    settings = {"director_email": {**MAIL, **changes}, "director_health_checker": "ldirectord"}
    with pytest.raises(ModelError) as caught:
        found(build, service(), **settings)
    words = (says, "director_health_checker: ldirectord")
    check_all(caught.value.problems, expected(Code.NOT_FOR_CHECKER, "director_email", key, value, *words))
    # keepalived can
    found(build, service(), **{**settings, "director_email": {**MAIL, **changes, "about": ["vrrp"]}})
    found(build, service(), **{**settings, "director_health_checker": "keepalived"})


@pytest.mark.parametrize("about", [{}, {"about": ["health_checks"]}])
def test_mon_sends_none(build: Build, about: dict[str, object]) -> None:
    with pytest.raises(ModelError) as caught:
        found(build, UNCHECKED, director_email={**MAIL, **about}, director_health_checker="mon")
    wanted = expected(
        Code.NOT_FOR_CHECKER, "director_email", "about", "'health_checks'", "[vrrp]", "director_health_checker: mon"
    )
    check_all(caught.value.problems, wanted)
    given = found(build, service(), director_email={**MAIL, "about": ["vrrp"]}, director_health_checker="mon")
    assert "    smtp_alert_vrrp true\n    smtp_alert_checker false\n" in given["keepalived"]


def test_keepalived_has_no_e_mails_that_are_all_of_ldirectord(build: Build) -> None:
    mail = {**MAIL, "about": "health_checks"}
    given = found(build, service(), director_email=mail, director_health_checker="ldirectord")
    assert "smtp" not in given["keepalived"]
    (text,) = (file["content"] for file in given["health_checker"]["files"] if file["path"].endswith(".cf"))
    assert "\nemailalertfrom = ldirectord@lb1\n" in text


@pytest.mark.parametrize("name", ["lb_1", "192.0.2.2", "2001:db8::2", "x" * 90])
def test_a_name_that_cannot_send_needs_a_sender(name: str) -> None:
    groups = {"directors": [name], "real_servers": []}
    cluster = build_cluster([UNCHECKED], groups, {name: {"lvs_address": "192.0.2.2"}})
    with pytest.raises(ModelError) as caught:
        support.director(cluster, name, director_email=MAIL)
    check_all(caught.value.problems, expected(Code.MISSING, "director_email", "from", "", name))
    text = support.director(cluster, name, director_email={**MAIL, "from": "lvs@example.net"})["keepalived"]
    assert "    notification_email_from lvs@example.net\n" in text


def test_a_message_of_keepalived_ends() -> None:
    """The longest: its buffer has 1024 characters (keepalived/core/smtp.c; smtp.h: MAX_HEADERS_LENGTH)."""
    sender, subject, longest_text = 100, 255, 100
    headers = ("Date: Mon, 01 Mar 2021 09:44:08 +0000", "From: ", "Subject: ", "X-Mailer: Keepalived", "To: ")
    fixed = "".join(f"{line}\r\n" for line in (*headers, "", "", "."))
    assert len(fixed) + sender + subject + MAX_RECIPIENTS + longest_text < 1024
