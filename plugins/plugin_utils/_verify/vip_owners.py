# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Problems of the VIPs as the link sees them, as sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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

#: Values of arp_ignore with which a host does not answer for addresses of another interface (net/ipv4/arp.c:
#: arp_ignore).
SILENT = (1, 2, 8)


@dataclass(frozen=True)
class Probe:
    """The observations of one host: its hardware addresses, the VIPs it holds, and the answers for each VIP that it
    probed.

    ``interface`` is that of its probes (empty without any), and ``arp_ignore`` has its sysctl of that name, of "all"
    and of the interface.
    """

    hardware_addresses: tuple[str, ...]
    holds: frozenset[str]
    answers: Mapping[str, Sequence[str]]
    interface: str = ""
    arp_ignore: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, result: object) -> Probe:
        """Return the observations in a result of arp_probe; raises `ReportError` for other results."""
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
    vips: Iterable[object],
    directors: Iterable[object],
    probes: object,
    on_link: Iterable[object] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Return the problems in results of arp_probe: host -> the result (`vip_problems`, `group_problems`).

    An invalid result is a problem of that host.
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
    split = group_problems(groups or {}, {host: seen[host].holds for host in holders if host in seen})
    return limited([*failed, *vip_problems(wanted, holders, seen, heard), *split])


def group_problems(groups: Mapping[str, Sequence[str]], holding: Mapping[str, Collection[str]]) -> list[str]:
    """Return one sentence for each VRRP group whose VIPs are on several directors.

    ``groups``: name -> VIPs. ``holding``: director -> the addresses it has. A VIP without a single owner is another
    problem (`vip_problems`).
    """
    problems = []
    for name, vips in groups.items():
        of_owner: dict[str, str] = {}
        for vip in vips:
            owners = [host for host, held in holding.items() if vip in held]
            if len(owners) == 1:
                of_owner.setdefault(owners[0], vip)
        if len(of_owner) > 1:
            who = " and ".join(f"{host} holds {vip}" for host, vip in of_owner.items())
            problems.append(f"{who}, which are in the VRRP group {name}; one director has to hold all of its VIPs")
    return problems


def vip_problems(
    vips: Iterable[str], directors: Sequence[str], probes: Mapping[str, Probe], on_link: Sequence[str]
) -> list[str]:
    """Return one sentence for each problem; an empty list if every VIP has exactly one owner.

    ``probes`` maps a host to its observations. Exactly one of ``directors`` must hold each VIP, and no other host may
    have answered any probe for it. Every probe for one of ``on_link`` must have an answer, except the holder's own; the
    other VIPs may be on another link.
    """
    owner_of = {address: host for host, probe in probes.items() for address in probe.hardware_addresses}
    unseen = [host for host in directors if host not in probes]
    problems = [f"{host} has no result of arp_probe, so its VIPs and answers are unknown" for host in unseen]
    for vip in vips:
        holding = [host for host in directors if host in probes and vip in probes[host].holds]
        if not holding and not unseen:
            problems.append(f"no director holds {vip}")
        elif len(holding) > 1:
            problems.append(f"{vip} is held by {' and '.join(holding)}; only one director may hold it")
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
                f"{holding[0]} holds {vip}, but no host answers {_asked(vip)} for it on the link of {', '.join(asked)}"
            )
    return problems


def seen_of_results(cluster: object, probes: object, real_servers: object) -> str:
    """Return the summary of a cluster without problems, as sentences (`seen`).

    ``cluster`` is the result of the filter of that name, ``probes`` maps hosts to results of arp_probe, and
    ``real_servers`` are the compared ones.
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
    """Return sentences with the VIPs of each director, the number of comparisons, and the tried and untried services.

    ``holding``: director -> the addresses it has. ``names``: the service of each entry of the IPVS table; ``checked``
    of them have a health check. ``tried``: the services to which connections were made, one entry a connection.
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
    """Return the VIPs that a result of host_check reports as held, without texts of the host.

    Raises `ReportError` with the name of the host for an invalid answer.
    """
    try:
        return held_vips(result, texts(vips, "vips"))
    except ReportError as error:
        raise ReportError(f"{host}: its answer is not one of lvs.cluster.host_check: {error}") from error


def owner_problems_of_results(vips: object, now: object, before: object, last: object, changed: object) -> list[str]:
    """Return the problems in results of host_check, or lists of held VIPs: director -> the result
    (`owner_problems`).
    """
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
    """Return the problems with owners of VIPs while directors are set up one after the other, as sentences.

    ``now`` and ``before`` map a director to its VIPs now, and at the start of the run. After the ``last`` one, exactly
    one director must hold each VIP. Until then a VIP must not lose its owner or get a second one. Exceptions: VIPs that
    two held before, which later directors may correct, and a ``changed`` configuration of VRRP, with which the
    directors ignore each other until all have it (keepalived/vrrp/vrrp.c drops adverts with another count of
    addresses).
    """
    problems = []
    for vip in vips:
        owners, had = ([host for host, held in seen.items() if vip in held] for seen in (now, before))
        if not owners and (last or had):
            problems.append(f"no director has {vip}" + (f", which {' and '.join(had)} had before" if had else ""))
        elif len(owners) > 1 and (last or (len(had) < 2 and not changed)):
            problems.append(f"{vip} is held by {' and '.join(owners)}; only one director may hold it")
    return problems


def _asked(vip: str) -> str:
    return "neighbour solicitations" if ":" in vip else "ARP"


def _answers(who: str, vip: str, probe: Probe | None, witnesses: Sequence[str]) -> str:
    """Return a sentence about a host that answers wrongly: where, and the reason if it is known."""
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
