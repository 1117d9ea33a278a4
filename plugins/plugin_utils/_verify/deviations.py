# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences of a host from the description, as sentences, from the differences that modules return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError, clip, limited

#: The number of differences that are read from one result; a hostile host may report any number.
MAX_DIFFERENCES = 10000

#: What a part of a role's result is about, where its module returns no differences. Other parts are ignored: other
#: comparisons cover the real servers that leave, and names of parts can come from a host.
_SUBJECTS = {
    "return_route": "the return route",
    "vips": "the set of VIPs with ARP suppressed",
    "tunnels": "the set of tunnels",
    "kernel": "the kernel configuration",
    "nftables": "the nftables table",
    "table": "the IPVS table",
    "timeouts": "the connection timeout",
    "firewall": "the rule file for the host's firewall",
    "keepalived": "keepalived",
    "health_checker": "the health checker",
}
_FILE = {
    "absent": "{name} does not exist",
    "different": "{name} differs from what the role writes",
    "present": "{name} exists, and is no longer used",
    # Weights change at run time, and the kernel's are correct.
    "other weights": "",
}
#: By kind and present state: sentences other than those of `_sentence`. Empty ones are omitted, because another
#: difference has the sentence.
_SENTENCES = {
    "file": _FILE,
    "unit": _FILE,
    "directory": {"absent": "the directory {name} does not exist"},
    "enabled": {
        "absent": "",  # and so is the unit
        "disabled": "{unit} is not enabled, so it does not start at boot",
        "enabled": "{unit} is enabled, and is not used here",
    },
    "running": {
        "absent": "",
        "stopped": "{unit} is not running",
        "running": "{unit} is running, and is not used here",
    },
    "configuration": {"not read": "{unit} has not read its present configuration"},
    "nftables table": {
        "absent": "the nftables table inet {name} does not exist",
        "different": "the nftables table inet {name} is not as described",
        "present": "the nftables table inet {name} exists, and no service needs it",
    },
    "kernel module": {"absent": "the kernel module {name} is not loaded", "loaded": ""},
    "address": {
        "absent": "the VIP {name} is absent",
        "present": "the address {name} is present, and no service uses it",
    },
    "sysctl": {"absent": "{name} does not exist, and should be {should}"},
    "virtual service": {"absent": "the virtual service {name} is not in the IPVS table"},
    "real server": {"absent": "the real server {name} is not in the IPVS table"},
}
#: Kinds that other sentences cover: the comparison of whole tables has services, and a record has its subject.
_SILENT = ("service", "record")


def of_results(results: object, host: object) -> list[str]:
    """Return the deviations in the results of a role's parts: part -> the result (`deviations`).

    Skipped and unchanged results are ignored.
    """
    if not isinstance(results, Mapping):
        raise InputError("deviations: the input is not a dictionary of results")
    return limited(deviations(str(host), results))


def deviations(host: str, results: Mapping[str, object]) -> list[str]:
    """Return a sentence for each difference of a host from the description.

    ``results`` has results of modules in check mode, by the part of the role.
    """
    found: dict[str, None] = {}
    for part, subject in _SUBJECTS.items():
        result = results.get(part)
        if isinstance(result, Mapping) and result.get("changed"):
            differences = result.get("differences")
            if isinstance(differences, list) and differences:
                found.update(dict.fromkeys(f"{host}: {sentence}" for sentence in _sentences(differences)))
            else:
                found[f"{host}: {subject} is not as described"] = None
    return list(found)


def _sentences(differences: list[object]) -> Iterator[str]:
    for one in differences[:MAX_DIFFERENCES]:
        if isinstance(one, Mapping):
            kind, name, found, wanted = (clip(one.get(key, "")) for key in ("kind", "name", "is", "should"))
            text = _sentence(kind, name, found, wanted)
            if text:
                yield text


def _sentence(kind: str, name: str, found: str, wanted: str) -> str:
    if kind in _SILENT:
        return ""
    template = _SENTENCES.get(kind, {}).get(found)
    if template is not None:
        return template.format(name=name, unit=name.removesuffix(".service"), should=wanted)
    named = name if kind == "sysctl" else f"the {kind} of {name}" if kind == "weight" else f"the {kind} {name}"
    if found == "absent":
        return f"{named} does not exist"
    if wanted == "absent" and kind in ("virtual service", "real server"):
        return f"{named} is in the IPVS table, and is not described"
    if wanted == "absent":
        return f"{named} exists, and is not described"
    return f"{named} is {found}, and should be {wanted}"
