# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a task costs which uses pyroute2: a module that opens a socket of generic netlink, and nothing else.

It imports the library as the modules of the collection do, without the parts that they do not need.
"""

from __future__ import annotations

import importlib.util
import sys
import types

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    spec = importlib.util.find_spec("pyroute2")
    bare = types.ModuleType("pyroute2")
    bare.__path__ = list((spec and spec.submodule_search_locations) or [])
    sys.modules["pyroute2"] = bare
    from pyroute2.netlink.generic import GenericNetlinkSocket

    socket = GenericNetlinkSocket()
    socket.close()
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
