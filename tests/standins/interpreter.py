# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the Python interpreter of a managed host: no module runs, and what it is told to answer is answered.

A host whose root is hostile can do just this. The name of the directory that it is called from is the host's name.
"""

import ast
import json
import sys
import time
from pathlib import Path

_MARK = '{"ANSIBLE_MODULE_ARGS"'

host = Path(sys.argv[0]).parent.name
place = Path(sys.argv[0]).parent.parent
program = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.read()
line = next(one for one in program.splitlines() if _MARK in one)
text = line if line.startswith(_MARK) else ast.literal_eval(line[line.index(_MARK) - 1 : line.rindex("'") + 1])
given = json.loads(text)["ANSIBLE_MODULE_ARGS"]
module = given["_ansible_module_name"].rpartition(".")[2]
told = {key: value for key, value in given.items() if not key.startswith("_ansible_")}
if module == "copy":  # what is copied lies in a temporary file, under a name that no other run has
    told = {"dest": told["dest"], "content": Path(told["src"]).read_text(), "mode": told["mode"]}
told_file = place / "told.jsonl"
with told_file.open("a") as file:
    file.write(json.dumps({"host": host, "module": module, "told": told}) + "\n")
answers = json.loads((place / "answers.json").read_text())
time.sleep(answers.get("seconds", 0))
own = answers.get(host, {})
answer = answers["all"].get(module, {}) | own.get(module, {}) | own.get("every module", {})
if then := answer.pop("then", {}):  # over the answer, if the module has run on the host before
    begins = json.dumps({"host": host, "module": module})[:-1]
    runs = sum(one.startswith(begins) for one in told_file.read_text().splitlines())
    answer |= then if runs > 1 else {}
answer = {key: told[value[5:]] if str(value).startswith("told ") else value for key, value in answer.items()}
print(answer.pop("bare", json.dumps(answer)))
