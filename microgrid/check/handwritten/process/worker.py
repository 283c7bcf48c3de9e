"""The process that checks layers: it loads a file, checks one layer after another, and reports.

What it finds goes to its parent at once, a line of JSON for each layer, so that nothing is lost
where the next one hangs or ends the process. What their code replaces in NumPy or in Python is put
back, and told.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import traceback
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from json import dumps, loads
from pathlib import Path
from pickle import loads as unpickled
from time import perf_counter
from typing import Any

from microgrid.check.handwritten import judge
from microgrid.check.handwritten.process import checking
from microgrid.check.handwritten.process.job import Job, Task
from microgrid.check.handwritten.process.namespaces import Namespaces
from microgrid.check.handwritten.process.serialization import to_json
from microgrid.check.handwritten.results import CRASHES, Found, Gradient
from microgrid.check.handwritten.trial import LayerError, Pass, Trial
from microgrid.check.isolation import limited, silence
from microgrid.check.loading.folders import OURS, is_theirs
from microgrid.check.raised import said

LOADING = 3  # times the limit of a layer: imports may take long
SMALLER = "give smaller ones, as in x=(3, 4)"
Say = Callable[[dict[str, Any]], None]


def work(
    job: Job, skip: int, say: Say, limit: float, clock: Callable[[float], None]
) -> None:  # fmt: skip
    """Check the layers of a job but for the first `skip`; `clock` starts the time of the next step.

    It says {"layers": their names, "remarks": …}, then of each {"layer": its index} before and
    {"found": …} after it was checked; or {"error": why there is nothing to check}.
    """
    kept = Namespaces()
    clock(LOADING * limit)
    try:
        tasks, remarks = checking.tasks(job, limit)
    except LayerError as error:
        return say({"error": str(error)})
    except BaseException as error:  # SystemExit, too
        what = "loaded" if job.layer is None else "looked at"
        return say({"error": f"{job.target} could not be {what}: {what_was_raised(error)}"})
    say({"layers": [task.name for task in tasks], "remarks": remarks + kept.put_back()})
    for index, task in list(enumerate(tasks))[skip:]:
        clock(limit)
        say({"layer": index})
        found = one(task, job.seed, kept)
        say({"found": to_json(found)})
    return None


def one(task: Task, seed: int, kept: Namespaces) -> Found:
    """One layer; whatever it does to the check is told of the layer."""
    start = perf_counter()
    habits: dict[str, None] = {}

    def put_back() -> None:
        habits.update(dict.fromkeys(kept.put_back()))

    try:
        trials = task.trials()
        put_back()
        found = judge.examine([guarded(trial, put_back) for trial in trials], seed)
        if not found.gradients:
            found.refusal = "none of its inputs has a gradient: give one as a shape, as in x=(3, 4)"
    except BaseException as error:  # SystemExit, too
        put_back()  # first of all: what is called below may have been replaced
        found = ended(task.name, error, bool(habits))
    put_back()
    found.habits += [habit for habit in habits if habit not in found.habits]
    found.seconds = perf_counter() - start
    return found


def ended(name: str, error: BaseException, replaced: bool) -> Found:
    """The result of a layer whose check an error ended, by a crash of it or by a refusal."""
    if isinstance(error, LayerError):
        return Found(name, refusal=str(error))
    if isinstance(error, MemoryError):
        return Found(name, refusal=f"its inputs are too large to run on Values: {SMALLER}")
    if replaced or isinstance(error, SystemExit | KeyboardInterrupt):
        return crashed(name, what_was_raised(error))
    return Found(name, refusal=f"the check failed: {what_was_raised(error)}")


def guarded(trial: Trial, put_back: Callable[[], None]) -> Trial:
    """The same trial, after whose passes NumPy and Python are themselves again."""

    def always(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            try:
                return function(*given)
            finally:
                put_back()

        return call

    def run(inputs: Any) -> Pass:
        outputs, pull = always(trial.run)(inputs)
        return Pass(outputs, always(pull))

    return replace(trial, run=run)


def crashed(name: str, detail: str) -> Found:
    """The result of a layer that ended the check of it."""
    return Found(name, gradients=[Gradient("", "", CRASHES, detail=detail)])


def what_was_raised(error: BaseException) -> str:
    """The error, and the line of their code that raised it, as far as there is one."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_theirs(f.filename)]
    where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
    return f"{said(error)}{where}"


def serve(job: Job, skip: int, limit: float, answers: Any) -> None:
    """The work of a process of its own; one that takes too long writes where it is, and ends."""

    def say(message: dict[str, Any]) -> None:
        answers.write(dumps(message) + "\n")
        answers.flush()

    def clock(seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=answers)

    faulthandler.enable(answers)
    os.environ["MPLBACKEND"] = "Agg"  # no plot waits for somebody to close it
    work(job, skip, say, limit, clock)
    os._exit(0)  # whatever their code started may not keep the process alive


def main() -> None:
    """The work of a fresh interpreter: `launch` has put our folder first in its path."""
    sys.path[:] = [*(x for x in sys.path if x != str(OURS.parent)), str(OURS.parent)]
    limited(int(sys.argv[1]))
    requests, answers = silence()
    request = loads(requests.readline())
    job = unpickled(b64decode(request["job"]))
    sys.argv[:] = [job.target]
    serve(job, request["skip"], request["limit"], answers)
