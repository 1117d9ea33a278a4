# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the VIPs as the link sees them, in words.  Private to the collection.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """What one host saw: its own hardware address, the VIPs it holds, and who answered ARP for each VIP."""

    hardware_address: str
    holds: frozenset[str]
    answers: Mapping[str, Sequence[str]]


def vip_problems(vips: Iterable[str], directors: Sequence[str], probes: Mapping[str, Probe]) -> list[str]:
    """One sentence for each thing that is wrong; an empty list when every VIP has exactly one owner.

    ``probes`` maps a host to what it saw.  Of each VIP exactly one of ``directors`` must be the holder, and nobody but
    that one may have answered for it, whoever asked.  A VIP that only its holder asked for shows no answer, which is
    no mistake.
    """
    owner_of = {probe.hardware_address: host for host, probe in probes.items()}
    problems = []
    for vip in vips:
        holding = [host for host in directors if host in probes and vip in probes[host].holds]
        if not holding:
            problems.append(f"no director holds {vip}")
        elif len(holding) > 1:
            problems.append(f"{' and '.join(holding)} all hold {vip}, which one director only may")
        seen: dict[str, list[str]] = {}
        for host, probe in sorted(probes.items()):
            for hardware in probe.answers.get(vip, ()):
                seen.setdefault(hardware, []).append(host)
        for hardware, witnesses in sorted(seen.items()):
            who = owner_of.get(hardware, f"an unknown host ({hardware})")
            if who not in holding:
                problems.append(f"{who} answers ARP for {vip}, as seen by {', '.join(witnesses)}")
        asked = [host for host, probe in probes.items() if vip in probe.answers and host not in holding]
        if len(holding) == 1 and asked and not seen:
            problems.append(
                f"{holding[0]} holds {vip}, but nobody answers ARP for it on the link of {', '.join(asked)}"
            )
    return problems
