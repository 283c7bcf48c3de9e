"""Programs in processes of their own."""

import os
import subprocess
import sys


def printed(program: str) -> str:
    """What a program prints: the same in three processes, each with its own order of sets."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", program]
    runs = [
        subprocess.Popen(command, env=env | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE)
        for seed in "012"
    ]
    found = {run.communicate()[0].decode() for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(found) == 1
    return found.pop()
