"""The benchmark of texts on a GPU compares right numbers; here on the CPU, without a clock."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def gpu():
    """The script, which imports the others beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        for name in ("engine", "program", "gpu"):
            patch.delitem(sys.modules, name, raising=False)
        import gpu

        yield gpu
        for name in ("engine", "program", "gpu"):
            sys.modules.pop(name, None)


def test_all_four_compute_what_the_program_computes(gpu):
    for library in ("torch", "jax"):
        pytest.importorskip(library, reason="the texts run in PyTorch and JAX")
    found = gpu.compared((5, 4, 3), 7, "cpu", turns=1)
    assert len(found) == 4
    assert all(apart <= gpu.TOLERANCE for _, _, apart in found.values())
