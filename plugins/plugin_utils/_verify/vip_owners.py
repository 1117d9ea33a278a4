# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the VIPs as the link sees them, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import (
    InputError,
    ReportError,
    clip,
    held_vips,
    integer,
    limited,
    mapping,
    text,
    texts,
)

#: Values of arp_ignore with which a host answers for no address of another interface (net/ipv4/arp.c: arp_ignore).
SILENT = (1, 2, 8)


@dataclass(frozen=True)
class Probe:
    """What one host saw: its hardware addresses, the VIPs it holds, and who answered for each VIP that it asked for.

    ``interface`` is where it asked (empty: it did not), and ``arp_ignore`` has its sysctl of that name, of "all" and of
    the interface.
    """

    hardware_addresses: tuple[str, ...]
    holds: frozenset[str]
    answers: Mapping[str, Sequence[str]]
    interface: str = ""
    arp_ignore: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, result: object) -> Probe:
        """Return what a result of arp_probe says; raises `ReportError` for any other."""
        values = mapping(result, "the result")
        answers = mapping(values.get("answers"), "answers")
        ignored = mapping(values.get("arp_ignore"), "arp_ignore")
        return cls(
            tuple(texts(values.get("hardware_addresses"), "hardware_addresses")),
            frozenset(texts(values.get("holds"), "holds")),
            {vip: texts(answers[vip], "answers") for vip in answers},
            text(values.get("interface"), "interface"),
            {name: integer(ignored[name], "arp_ignore") for name in ignored},
        )


def vip_problems_of_results(
    vips: Iterable[object], directors: Iterable[object], probes: object, on_link: Iterable[object] = ()
) -> list[str]:
    """Return what results of arp_probe say: host -> the result (`vip_problems`).

    A result that is none of the module's is a problem of that host.
    """
    failed = []
    seen = {}
    if not isinstance(probes, Mapping):
        raise InputError("probes: not a dictionary of results of lvs.cluster.arp_probe")
    for host, probe in probes.items():
        try:
            if isinstance(probe, Mapping) and probe.get("failed"):
                failed.append(f"{host}: {clip(probe.get('msg'))}")
            else:
                seen[str(host)] = Probe.of(probe)
        except ReportError as error:
            failed.append(f"{host}: its answer is not one of lvs.cluster.arp_probe: {error}")
    wanted, holders, heard = ([str(one) for one in some] for some in (vips, directors, on_link))
    return limited([*failed, *vip_problems(wanted, holders, seen, heard)])


def vip_problems(
    vips: Iterable[str], directors: Sequence[str], probes: Mapping[str, Probe], on_link: Sequence[str]
) -> list[str]:
    """One sentence for each thing that is wrong; an empty list when every VIP has exactly one owner.

    ``probes`` maps a host to what it saw. Of each VIP exactly one of ``directors`` must be the holder, and nobody but
    that one may have answered for it, whoever asked. Whoever asked for one of ``on_link`` must have heard an answer,
    but for its holder, which does not hear itself; the other VIPs may be on another link.
    """
    owner_of = {address: host for host, probe in probes.items() for address in probe.hardware_addresses}
    unseen = [host for host in directors if host not in probes]
    problems = [f"{host} was not asked, so its VIPs and answers are not known" for host in unseen]
    for vip in vips:
        holding = [host for host in directors if host in probes and vip in probes[host].holds]
        if not holding and not unseen:
            problems.append(f"no director holds {vip}")
        elif len(holding) > 1:
            problems.append(f"{' and '.join(holding)} all hold {vip}, and only one director may hold it")
        seen: dict[str, list[str]] = {}
        for host, probe in sorted(probes.items()):
            for hardware in probe.answers.get(vip, ()):
                seen.setdefault(hardware, []).append(host)
        for hardware, witnesses in sorted(seen.items()):
            who = owner_of.get(hardware, f"an unknown host ({hardware})")
            if who not in holding and (hardware in owner_of or not unseen):
                problems.append(_answers(who, vip, probes.get(who), witnesses))
        if vip not in on_link:
            continue
        asked = [host for host, probe in probes.items() if vip in probe.answers and host not in holding]
        if len(holding) == 1 and asked and not seen:
            problems.append(
                f"{holding[0]} holds {vip}, but nobody answers {_asked(vip)} for it on the link of {', '.join(asked)}"
            )
    return problems


def seen_of_results(cluster: object, probes: object, real_servers: object) -> str:
    """Return what was seen of a cluster that is as described, in sentences (`seen`).

    ``cluster`` is what the filter of that name returns, ``probes`` maps hosts to results of arp_probe, and
    ``real_servers`` are those that were looked at.
    """
    described, reported = (mapping(one, "the input") for one in (cluster, probes))
    names = [
        text(mapping(one, "a service").get("name"), "its name")
        for key in ("services", "health_checked")
        for one in _listed(described.get(key))
    ]
    checked = len(_listed(described.get("health_checked")))
    vips = [text(mapping(one, "a VIP").get("address"), "its address") for one in _listed(described.get("vips"))]
    tried = [text(mapping(one, "a connection").get("name"), "its name") for one in _listed(described["connections"])]
    directors = texts(described.get("directors"), "directors")
    holding = {}
    for host in directors:
        try:
            holding[host] = Probe.of(reported.get(host)).holds
        except ReportError:
            continue  # which is a problem
    return seen(vips, holding, len(texts(real_servers, "real_servers")), names, checked, tried)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def seen(
    vips: Sequence[str],
    holding: Mapping[str, Iterable[str]],
    real_servers: int,
    names: Sequence[str],
    checked: int,
    tried: Sequence[str],
) -> str:
    """Return which director has which VIPs, how much was compared, and what was tried and what not.

    ``holding``: director -> the addresses it has. ``names``: the service of each entry of the IPVS table, of which so
    many are ``checked`` for health. ``tried``: the services to which connections were made, one entry a connection.
    """
    sentences = []
    for host, held in holding.items():
        some = [vip for vip in vips if vip in held]
        if some:
            sentences.append(f"{host} has {', '.join(some) if len(some) <= 4 else _count(len(some), 'VIP')}")
    compared = f"{_count(len(holding), 'director')} and {_count(real_servers, 'real server')} are as described"
    sentences.append(f"{compared}, with {_count(len(names), 'virtual service')}, {checked} of them with health checks")
    sentences.append(f"{_count(len(tried), 'connection')} accepted")
    left = list(dict.fromkeys(name for name in names if name not in tried))
    if left:
        listed = ", ".join(left) if len(left) <= 4 else f"{', '.join(left[:3])} and {len(left) - 3} more"
        sentences.append(f"not tried: {listed}")
    return "; ".join(sentences)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def held_by(result: object, vips: object, host: object) -> list[str]:
    """Return those of the VIPs that a result of host_check reports as held, and no text of the host.

    Raises `ReportError` with the name of the host for an answer that is none of the module's.
    """
    try:
        return held_vips(result, texts(vips, "vips"))
    except ReportError as error:
        raise ReportError(f"{host}: its answer is not one of lvs.cluster.host_check: {error}") from error


def owner_problems_of_results(vips: object, now: object, before: object, last: object, changed: object) -> list[str]:
    """Return what results of host_check, or lists of held VIPs, say: director -> the result (`owner_problems`)."""
    seen = []
    wanted = texts(vips, "the input")
    for name, one in (("now", now), ("before", before)):
        if not isinstance(one, Mapping):
            raise InputError(f"{name}: not a dictionary of lists of VIPs by director")
        seen.append({str(host): _held(host, held, wanted) for host, held in one.items()})
    return limited(owner_problems(wanted, seen[0], seen[1], bool(last), bool(changed)))


def _held(host: object, reported: object, vips: list[str]) -> list[str]:
    try:
        return held_vips(reported if isinstance(reported, Mapping) else {"held": reported}, vips)
    except ReportError as error:
        raise ReportError(f"the answer of {host} is not one of lvs.cluster.host_check: {error}") from error


def owner_problems(
    vips: Iterable[str],
    now: Mapping[str, Sequence[str]],
    before: Mapping[str, Sequence[str]],
    last: bool,
    changed: bool,
) -> list[str]:
    """What is wrong with the owners of VIPs while directors are set up one after the other, in words.

    ``now`` and ``before`` map a director to those that it has, and had when the run began. Once the ``last`` is set up,
    each has to be on exactly one. Until then a VIP must not lose its owner, and must not get a second one: but what two
    had before, those that follow may put right, and where the configuration of VRRP has ``changed`` the directors do
    not understand each other until all have it (keepalived/vrrp/vrrp.c drops adverts with another count of addresses).
    """
    problems = []
    for vip in vips:
        owners, had = ([host for host, held in seen.items() if vip in held] for seen in (now, before))
        if not owners and (last or had):
            problems.append(f"no director has {vip}" + (f", which {' and '.join(had)} had before" if had else ""))
        elif len(owners) > 1 and (last or (len(had) < 2 and not changed)):
            problems.append(f"{' and '.join(owners)} all have {vip}, and only one director may have it")
    return problems


def _asked(vip: str) -> str:
    return "neighbour solicitations" if ":" in vip else "ARP"


def _answers(who: str, vip: str, probe: Probe | None, witnesses: Sequence[str]) -> str:
    """That somebody answers who must not, where, and why as far as that can be told."""
    seen = f"{who} answers {_asked(vip)} for {vip}"
    if probe is None or not probe.interface:
        return f"{seen}, as seen by {', '.join(witnesses)}"
    if ":" in vip:
        return f"{seen} on {probe.interface}: it has the address there, and not on lo"
    names: dict[int, list[str]] = {}
    for name, value in probe.arp_ignore.items():
        names.setdefault(value, []).append(name)
    values = " and ".join(f"{value} on {' and '.join(of)}" for value, of in names.items())
    why = f"arp_ignore is {values}"
    if max(probe.arp_ignore.values(), default=0) in SILENT:
        why = f"it has the address on that interface, so that {why} does not help"
    return f"{seen} on {probe.interface}: {why}"
