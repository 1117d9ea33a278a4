# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nft says in a namespace of its own, played by a function."""

from __future__ import annotations

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import nft
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError

LISTING = "table inet x {\n\tchain c {\n\t}\n}\n"


@pytest.fixture(autouse=True)
def _nft_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft, "has_command", lambda _name: True)


def would_list(tables: str, listing: str = LISTING) -> str:
    def run(command: list[str]) -> tuple[int, str, str]:
        assert command[:3] == ["unshare", "--net", "sh"]
        assert "nft list tables" in command[4]
        return 0, tables + listing, ""

    return nft.Nftables(run).would_list("x", "chain c { }")


def test_a_table_alone() -> None:
    assert would_list("table inet x\n") == LISTING


@pytest.mark.parametrize(
    "tables", ["table inet x\ntable inet y\n", "table inet y\ntable inet x\n", "table inet y\n", ""]
)
def test_rules_that_make_another_table_are_refused(tables: str) -> None:
    with pytest.raises(HostError) as caught:
        would_list(tables)
    assert str(caught.value) == "rules: they end the table x and open another; one task manages one table"
