"""The playground in a real browser: how soon there is a picture, how soon it follows the hand.

Both back ends: the server in a process of its own, and the site with Pyodide behind a plain file
server. Times are those of the clock on the wall, and of all processors that the back end and the
browser used meanwhile; a latency is the median from an input to the number that it changes.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from microgrid.playground.site import write_site

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TICKS = os.sysconf("SC_CLK_TCK")
PAUSE = 350  # ms, for which the page waits while somebody types
EXAMPLES = """examples:
  npm install --prefix runtime ...              as `microgrid site --help` says
  python tests/benchmarks/playground.py --runtime runtime
  python tests/benchmarks/playground.py --gates 12 50        the server alone
"""
MOVED = """([leaf, steps]) => {
  const range = document.querySelector(`input[type=range][data-leaf="${leaf}"]`);
  const shown = document.querySelector("[data-result]");
  const one = x => new Promise(resolve => {
    const start = performance.now();
    const end = new MutationObserver(() => {
      end.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
    });
    end.observe(document.querySelector(`[data-gradient="${leaf}"]`).closest("main"),
      {subtree: true, childList: true, characterData: true});
    range.value = x;
    range.dispatchEvent(new Event("input", {bubbles: true}));
  });
  return steps.reduce(async (told, x) => [...await told, await one(x)], Promise.resolve([]));
}"""
TYPED = """text => new Promise((resolve, reject) => {
  const picture = document.querySelector("#picture"), before = picture.querySelector("svg");
  const source = document.querySelector("#source"), start = performance.now();
  let asked = false;
  const observer = new MutationObserver(() => {
    const draw = document.querySelector("[data-act=draw]");
    if (!asked && draw.checkVisibility()) (asked = true, setTimeout(() => draw.click()));
    const now = picture.querySelector("svg");
    if (!now || now === before) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
  });
  observer.observe(picture.closest("main"), {subtree: true, childList: true, attributes: true});
  setTimeout(reject, 60_000, Error("it was not drawn"));
  source.value = text;
  source.dispatchEvent(new Event("input", {bubbles: true}));
})"""


def network(gates: int, name: str = "h") -> str:
    """A chain of neurons, each with weights of its own, that all see x: five gates each."""
    lines = [f"{name}_0 = tanh(w_0*x + b_0)"]
    for k in range(1, max(1, round((gates - 3) / 5)) + 1):
        lines.append(f"{name}_{k} = tanh(w_{k}*{name}_{k - 1} + v_{k}*x + b_{k})")
    return "\n".join(lines)


# Processor time and memory


def family(pid: int) -> Iterator[int]:
    """A process, and all that it has started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def used(pids: list[int]) -> float:
    """The seconds of all processors that these have used, with their children."""
    total = 0
    for pid in {p for parent in pids for p in family(parent)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def memory(pid: int) -> float:
    """The megabytes of a process, shared ones in parts."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1024


def largest(pid: int) -> float:
    """The megabytes of the largest process that this one has started: that of a page."""
    return max(memory(child) for child in family(pid) if child != pid)


# The two back ends


@contextmanager
def server() -> Iterator[tuple[str, list[int]]]:
    """`microgrid play`; its address and processes."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "microgrid", "play", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline())[0]
            seconds, processor = time.perf_counter() - start, used([process.pid])
            row("command to address", f"{seconds:.2f} s", f"{processor:.2f} s")
            yield address, [process.pid]
            row("memory of the server", f"{memory(process.pid):.0f} MB", "")
        finally:
            process.kill()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def site(folder: Path) -> Iterator[tuple[str, list[int]]]:
    handler = partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_address[1]}/", []
        found.shutdown()


def row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def measured(browser: Any, address: str, others: list[int], gates: list[int]) -> None:
    """The rows of one back end."""
    processes = [os.getpid(), *others]
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    for times in ("cold", "warm"):
        tab = context.new_page()
        start, before = time.perf_counter(), used(processes)
        tab.goto(address)
        tab.locator("#picture svg").wait_for(timeout=120_000)
        row(f"picture, {times}", f"{time.perf_counter() - start:.2f} s",
            f"{used(processes) - before:.2f} s")  # fmt: skip
        tab.locator(".engine").wait_for(state="hidden", timeout=120_000)
        row(f"sliders, {times}", f"{time.perf_counter() - start:.2f} s",
            f"{used(processes) - before:.2f} s")  # fmt: skip
        if times == "cold":
            tab.close()
    for count in gates:
        for kind, latencies, processor in turns(tab, count, processes):
            if not latencies:
                row(f"{kind}, {count} gates", "not drawn in time", "")
                break
            row(f"{kind}, {count} gates",
                f"{statistics.median(latencies):.0f} ms "
                f"(p90 {sorted(latencies)[int(0.9 * len(latencies))]:.0f})",
                f"{processor * 1e3:.0f} ms")  # fmt: skip
    row("memory of the page", f"{largest(os.getpid()):.0f} MB", "")
    context.close()


def turns(tab: Any, count: int, processes: list[int]) -> Iterator[tuple[str, list[float], float]]:
    """The latencies of edits that draw anew, and of a drag; the processor's time for each."""
    tab.evaluate("bits => (location.hash = bits)", urlencode({"text": "x"}))
    while tab.locator("#picture svg g").count() > 8:
        tab.wait_for_timeout(10)
    before, latencies = used(processes), []
    for name in ("h", "hi", "hid") if count < 150 else ("h",):  # each as wide as no other
        try:
            latencies.append(tab.evaluate(TYPED, network(count, name)) - PAUSE)
        except PlaywrightError:
            break
    yield "edit", latencies, (used(processes) - before) / max(1, len(latencies))
    steps = [round(0.5 + k / 100, 2) for k in range(30)]
    tab.evaluate(MOVED, ["w_0", [0.4]])
    before = used(processes)
    latencies = tab.evaluate(MOVED, ["w_0", steps])
    yield "drag", latencies, (used(processes) - before) / len(latencies)


def sizes(folder: Path) -> None:
    """What a browser loads, as it is and packed."""
    packed = (
        "const data = require('fs').readFileSync(0);"
        "process.stdout.write(String(require('zlib').brotliCompressSync(data).length))"
    )
    node = shutil.which("node")
    total = [0, 0, 0]
    loaded = [p for p in sorted(folder.rglob("*")) if p.is_file() and "baked" not in p.parts]
    for path in [*loaded, folder / "baked" / "0.json"]:
        data = path.read_bytes()
        found = [len(data), len(gzip.compress(data, 9)), 0]
        if node:
            told = subprocess.run([node, "-e", packed], input=data, capture_output=True)
            found[2] = int(told.stdout)
        row(path.relative_to(folder).as_posix(), *[f"{n / 1e3:.0f} kB" for n in found])
        total = [a + b for a, b in zip(total, found)]
    row("all that is loaded", *[f"{n / 1e6:.2f} MB" for n in total])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, nargs="*", default=[12, 50, 100, 200])
    parser.add_argument(
        "--runtime", type=Path, help="the packages of npm: Pyodide is measured, too"
    )
    options = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        row("server", "wall", "processor")
        with server() as (address, others):
            measured(browser, address, others, options.gates)
        browser.close()
        if options.runtime:
            write_site(Path(scratch), options.runtime)
            row("file", "raw", "gzip -9", "brotli -11")
            sizes(Path(scratch))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            row("Pyodide", "wall", "processor")
            with site(Path(scratch)) as (address, others):
                measured(browser, address, others, options.gates)
            browser.close()


if __name__ == "__main__":
    main()
