"""Hypothesis profiles: `pytest --hypothesis-profile deep` draws thirty times as much."""

import gc

import pytest
from hypothesis import HealthCheck, Phase, settings
from shared.browser import chromium, visit  # noqa: F401  (fixtures)
from shared.playground import npm_packages  # noqa: F401  (a fixture)

collect_ignore = ["check/engines", "clients"]  # programs that tests run, not tests

settings.register_profile(  # each run draws others: few at a time, so that all tests are quick
    "default", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)  # fmt: skip
settings.register_profile("deep", settings.get_profile("default"), max_examples=2000)
settings.register_profile(  # for mutation testing: quick, and the same draws each time
    "mutants",
    settings.get_profile("default"),
    max_examples=20,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("default")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected lives to the end: no pass of the garbage collector looks at it again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
