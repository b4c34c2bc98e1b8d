#!/usr/bin/python3
"""Ansible module: folders are there, files are as their digests say, others are gone; all in one task.

A loop over `get_url` would start a process on the machine for each of some thirty files. Runs on the machine's own
Python, and so needs the standard library alone. In check mode it tells what it would change.
"""

import hashlib
import os
import urllib.request

from ansible.module_utils.basic import AnsibleModule

BLOCK = 1 << 20


def main():
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "str", "required": True},
            "folders": {"type": "list", "elements": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "required": True},
            "absent": {"type": "list", "elements": "str", "required": True},
            "pending": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    folders = [path for path in wanted["folders"] if not os.path.isdir(path)]
    placed = [file for file in wanted["files"] if not in_place(file)]
    gone = [path for path in wanted["absent"] if os.path.lexists(path)]
    # Units read files when they start. What was placed by a run that did not come so far waits for that still.
    waiting = sorted({*remembered(wanted["pending"]), *(file["path"] for file in placed)})
    if not module.check_mode:
        for path in folders:
            os.makedirs(path, mode=0o755)
        if waiting:
            with open(wanted["pending"], "w") as out:
                out.write("".join(f"{path}\n" for path in waiting))
        for file in placed:
            try:
                place(file, f"{wanted['server']}/{file['sha256']}")
            except (OSError, ValueError) as error:
                module.fail_json(msg=f"{file['path']}: {error}")
        for path in gone:
            os.unlink(path)
    paths = [*folders, *waiting, *gone]
    module.exit_json(changed=bool(paths), paths=paths)


def remembered(path):
    """The lines of a file; none where there is no file."""
    try:
        with open(path) as lines:
            return lines.read().splitlines()
    except FileNotFoundError:
        return []


def in_place(file):
    """Whether it is there, with this content and mode."""
    try:
        found = os.stat(file["path"])
    except OSError:
        return False
    return found.st_mode & 0o7777 == int(file["mode"], 8) and digest(file["path"]) == file["sha256"]


def digest(path):
    with open(path, "rb") as source:
        found = hashlib.sha256()
        while block := source.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def place(file, url):
    """It takes its name once it is whole, and what it ought to be: a program that runs keeps its old file."""
    partial = f"{file['path']}.partial"
    found = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=60) as answer, open(partial, "wb") as out:
        while block := answer.read(BLOCK):
            found.update(block)
            out.write(block)
    if found.hexdigest() != file["sha256"]:
        os.unlink(partial)
        raise ValueError(f"expected sha256 {file['sha256']}, got {found.hexdigest()}")
    os.chmod(partial, int(file["mode"], 8))
    os.replace(partial, file["path"])


if __name__ == "__main__":
    main()
