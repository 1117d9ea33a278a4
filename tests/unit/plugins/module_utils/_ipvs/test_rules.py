# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text to tables and back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import model, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue, RealServerPatch, Table
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

# As ipvsadm 1.31 writes it, one service of every kind.
SAVED = """\
-A -t 192.0.2.10:0 -s rr -p 360
-A -t 192.0.2.10:80 -s wlc
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.12:8080 -m -w 0
-a -t 192.0.2.10:80 -r 198.51.100.13:80 -i -w 1 --tun-type ipip
-a -t 192.0.2.10:80 -r 198.51.100.14:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 192.0.2.10:80 -r 198.51.100.15:80 -i -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r [2001:db8::15]:80 -i -w 1 --tun-type ipip
-A -t 192.0.2.10:443 -s sh -p 60 -M 255.255.255.0 --pe sip -b sh-fallback,sh-port
-A -u 192.0.2.10:53 -s rr -o
-A --sctp-service 192.0.2.10:99 -s mh -b mh-port
-A -t [2001:db8::10]:80 -s lc -p 300 -M 64
-A -f 21 -s rr -b flag-1,flag-3
-a -f 21 -r 198.51.100.11:0 -g -w 1
-A -f 21 -6 -s rr
-a -f 21 -6 -r [2001:db8::11]:0 -g -w 1
"""


def table_of(text: str) -> Table:
    return plan.plan({}, rules.parse(text)).predicted


def test_what_ipvsadm_saves_is_read_and_written_alike() -> None:
    assert rules.render(table_of(SAVED)) == SAVED


@given(support.tables())
def test_every_table_survives_its_text(table: Table) -> None:
    assert table_of(rules.render(table)) == table


def test_thresholds_are_written_and_read() -> None:
    text = "-A -t 192.0.2.10:80 -s wlc\n-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1 -x 100 -y 50\n"
    assert rules.render(table_of(text)) == text


def test_thresholds_that_a_text_lacks_are_left_alone() -> None:
    current = table_of("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1 -g -w 1 -x 100 -y 50\n")
    planned = plan.plan(current, rules.parse("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0 -g -w 2\n"))
    assert rules.render(planned.predicted).endswith("-w 2 -x 100 -y 50\n")


def test_comments_empty_lines_long_options_and_the_command_itself() -> None:
    text = """
    # a comment
    ipvsadm --add-service --tcp-service=192.0.2.10:80 --scheduler rr --persistent   # another

    --add-server --tcp-service 192.0.2.10:80 --real-server 198.51.100.11 --masquerading --weight=3 --u-threshold 9
    """
    assert rules.render(table_of(text)) == (
        "-A -t 192.0.2.10:80 -s rr -p 360\n-a -t 192.0.2.10:80 -r 198.51.100.11:80 -m -w 3 -x 9\n"
    )


def test_what_is_not_written_is_unset() -> None:
    (patch,) = rules.parse("-A -t 192.0.2.10:80\n-a -t 192.0.2.10:80 -r 198.51.100.11")
    assert patch.settings is not None
    assert patch.settings.scheduler is None
    assert patch.settings.persistence_timeout == 0
    assert patch.real_servers is not None
    assert list(patch.real_servers.values()) == [RealServerPatch()]


def test_what_is_missing_is_reset_or_kept_as_documented() -> None:
    current = table_of(
        "-A -u 192.0.2.10:53 -s sh -p 300 -M 255.255.255.0 --pe sip -o -b sh-port\n"
        "-a -u 192.0.2.10:53 -r 198.51.100.11:8053 -m -w 5 -x 9 -y 3\n"
        "-a -u 192.0.2.10:53 -r 198.51.100.12:53 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum\n"
    )
    text = (
        "ipvsadm -A -u 192.0.2.10:53\n"
        "ipvsadm -a -u 192.0.2.10:53 -r 198.51.100.11:8053\n"
        "ipvsadm -a -u 192.0.2.10:53 -r 198.51.100.12 -i\n"
    )
    assert rules.render(plan.plan(current, rules.parse(text)).predicted) == (
        "-A -u 192.0.2.10:53 -s sh\n"
        "-a -u 192.0.2.10:53 -r 198.51.100.11:8053 -m -w 5 -x 9 -y 3\n"
        "-a -u 192.0.2.10:53 -r 198.51.100.12:53 -i -w 5 --tun-type ipip\n"
    )


def test_marks_that_ipvsadm_prints_as_negative_numbers() -> None:
    assert rules.render(table_of("-A -f -1 -s rr\n")) == "-A -f 4294967295 -s rr\n"


def test_the_third_flag_of_sh_for_which_ipvsadm_has_no_name() -> None:
    text = "-A -f 1 -s sh -b "
    assert rules.render(table_of(text)) == "-A -f 1 -s sh -b flag-3\n"


def test_local_delivery_is_kept_in_a_comment() -> None:
    text = "-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0 -g -w 1  # local\n"
    (service,) = table_of(text).values()
    (server,) = service.real_servers.values()
    assert server.forward_method == model.LOCAL
    assert rules.render(table_of(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-C", "rules line 1: command must be -A or -a: what ipvsadm-save -n writes (got '-C')"),
        (
            "\n-A -t 192.0.2.10:http -s rr",
            "rules line 2: the port of -t must be a whole number from 0 to 65535 (got 'http')",
        ),
        ("-A -t web:80", "rules line 1: -t must be a numeric address and port (ipvsadm-save -n) (got 'web:80')"),
        ("-A -t [2001:db8::1:80", "rules line 1: -t must be [address]:port (got '[2001:db8::1:80')"),
        ("-A -t 224.0.0.1:80", "rules line 1: address must not be a multicast address (got '224.0.0.1')"),
        ("-A -f 0", "rules line 1: -f must not be zero (got '0')"),
        ("-A -t 192.0.2.10:80 -6", "rules line 1: -6 is for -f only (got '')"),
        ("-A -s rr", "rules line 1: service must be named by one of -t, -u, --sctp-service, -f (got '')"),
        ("-A -t 192.0.2.1:80 -s", "rules line 1: -s needs a value (got '')"),
        ("-A -t 192.0.2.1:80 -s none", "must be a name of 1 to 15 letters"),
        ("-A -t 192.0.2.1:80 -w 1", "rules line 1: option is not one that this command has (got '-w')"),
        ("-A -t 192.0.2.1:80 -s rr -s rr", "rules line 1: option is given twice (got '-s')"),
        ("-A -f 1 -p 0", "rules line 1: -p must be a whole number from 1 to 2678400 (got '0')"),
        ("-A -f 1 -6 -M 255.255.255.0", "rules line 1: -M must be a prefix length from 1 to 128 for an IPv6 service"),
        (
            "-A -f 1 -s rr -b sh-port",
            "rules line 1: scheduler_flags must be of flag-1, flag-2, flag-3 with scheduler rr",
        ),
        ("-a -f 1 -r 192.0.2.1", "rules line 1: -a names a service that no earlier line has added"),
        ("-A -f 1\n-A -f 1", "rules line 2: -A adds a service that an earlier line has added"),
        ("-A -f 1\n-a -f 1", "rules line 2: -r is needed to name the real server"),
        ("-A -f 1\n-a -f 1 -r 192.0.2.1 -w 1_0", "rules line 2: -w must be a whole number from 0 to 2147483647"),
        ("-A -f 1\n-a -f 1 -r 192.0.2.1 -m -i", "rules line 2: -r has two options that exclude each other"),
        ("-A -f 1\n-a -f 1 -r fe80::1", "rules line 2: real server address must not be a link-local address"),
        ("-A -f 1\n-a -f 1 -r 192.0.2.1 -w -1", "rules line 2: -w must be a whole number from 0 to 2147483647"),
        ("-A -f 1\n-a -f 1 -r 192.0.2.1 -m --tun-type gue", "rules line 2: --tun-type is for -i only (got 'gue')"),
        (
            "-A -f 1\n-a -f 1 -r 192.0.2.1\n-a -f 1 -r 192.0.2.1:0",
            "rules line 3: -r adds a real server that an earlier",
        ),
    ],
)
def test_refused(text: str, message: str) -> None:
    assert message in support.refused(lambda: rules.parse(text))


@given(st.text(alphabet="-AatursxpMb6f0123456789.:[]# \n\u0663\x00é"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        rules.parse(text)


@given(st.lists(st.sampled_from([*SAVED.split(), "\n", "-x", "-1", "99999999999999", "::", "0x1", "#"]), max_size=20))
def test_any_mixture_of_its_words_is_read_or_refused(words: list[str]) -> None:
    with contextlib.suppress(InvalidValue):
        rules.parse(" ".join(words))
