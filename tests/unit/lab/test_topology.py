# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's topologies: read into values, or refused in one sentence that names the file, the key and the value."""

from __future__ import annotations

from pathlib import Path

import pytest
from vmlab import base, images, network, personal, topology
from vmlab.recipes import RECIPES

TOPOLOGIES = Path(__file__).resolve().parents[3] / "molecule" / "lab" / "topologies"
HOST = {"image": "debian-12", "addresses": {"cluster": "192.0.2.2/24"}}


def lab(**changes: object) -> dict[str, object]:
    return {"name": "t", "links": ["cluster"], "hosts": {"a": HOST}, **changes}


@pytest.mark.parametrize("path", sorted(TOPOLOGIES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_topology_here_is_good(path: Path) -> None:
    read = topology.load(path)
    assert read.name == path.stem
    addresses = [read.management_address(host) for host in read.hosts]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "the topology: [] is no mapping"),
        (lab(name="Big"), "name: 'Big' is no name"),
        (lab(link=[]), "'link' is none of hosts, links, name"),
        (lab(links=["mgmt"]), "links: 'mgmt' is the lab's own"),
        (lab(hosts={}), "hosts: there is none"),
        (lab(hosts={"a": {"image": "debian-1"}}), "hosts.a.image: 'debian-1' is none of debian-12, debian-13"),
        (lab(hosts={"a": {}}), "hosts.a: give either an image"),
        (lab(hosts={"a": {**HOST, "addresses": {"lan": "192.0.2.2/24"}}}), "hosts.a.addresses: 'lan' is no link"),
        (lab(hosts={"a": {**HOST, "addresses": {"cluster": "192.0.2.x"}}}), "'192.0.2.x' is no address"),
        (lab(hosts={"a": HOST, "b": HOST}), "hosts.b: 192.0.2.2 on link cluster is a's already"),
        (lab(hosts={"a": {"namespace": True, "services": ["nginx"]}}), "a namespace runs no services"),
    ],
    ids=str,
)
def test_refusals(data: object, sentence: str) -> None:
    with pytest.raises(base.LabError) as refusal:
        topology.parse(data)
    assert sentence in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(base.LabError, match=r"nothing\.yml: No such file"):
        topology.load(tmp_path / "nothing.yml")


def test_cards_of_two_labs_differ_and_interfaces_carry_the_links_names() -> None:
    one, two = (topology.parse(lab(), name) for name in ("one", "two"))
    cards = network.cards(one, one.hosts[0])
    assert [card.name for card in cards] == ["mgmt", "cluster"]
    assert {card.mac for card in cards}.isdisjoint(card.mac for card in network.cards(two, two.hosts[0]))


def test_a_clone_is_told_its_name_and_addresses() -> None:
    read = topology.parse(lab())
    script = personal.script(read.hosts[0], network.cards(read, read.hosts[0]), "ssh-ed25519 AAAA lab\n", "a key\n")
    assert "hostname a\n" in script
    assert "Address=192.0.2.2/24" in script
    assert "Name=cluster" in script


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(base.LabError, match="run it with sudo"):
        base.need_root()


def test_a_recipe_keeps_the_builds_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVS_LAB_HOME", str(tmp_path))
    for name in ("debian-13-0123456789ab", "debian-13-backports-0123456789ab"):
        (tmp_path / "images" / name).mkdir(parents=True)
    assert [path.name for path in images.builds("debian-13")] == ["debian-13-0123456789ab"]
    assert [path.name for path in images.builds("debian-13-backports")] == ["debian-13-backports-0123456789ab"]


def test_the_newest_kernel_is_the_only_one_in_its_image() -> None:
    recipe = RECIPES["debian-13-backports"]
    assert not [name for name in recipe.packages if name.startswith("linux-image")]
    assert "trixie-backports linux-image-cloud-amd64" in recipe.commands[0]
    assert recipe.commands[1:] == RECIPES["debian-13"].commands
