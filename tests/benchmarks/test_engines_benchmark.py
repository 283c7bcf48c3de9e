"""The benchmark of the checker has enough mutants, and an oracle that tells them apart."""

import importlib.util
from pathlib import Path


def script():
    path = Path(__file__).with_name("engines.py")
    spec = importlib.util.spec_from_file_location("engines_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = script()
TEXT = bench.PLAIN.read_text()


def test_there_are_more_than_four_hundred_mutants_each_another_program():
    found = bench.mutants(TEXT)
    assert len(found) == len({text for _, text in found}) >= 400
    for _, text in found[::20]:
        compile(text, "<mutant>", "exec")


def test_the_oracle_tells_a_mutant_that_alters_a_result_from_one_that_does_not():
    assert not bench.alters(TEXT, programs=40)
    assert not bench.alters(TEXT.replace("t * t", "t ** 2"), programs=40)
    assert bench.alters(TEXT.replace("(1.0, -1.0)", "(1.0, 1.0)"), 400)
    assert bench.alters(TEXT.replace("self.data > 0 else 0.0", "self.data > 1 else 0.0"), 3000)
