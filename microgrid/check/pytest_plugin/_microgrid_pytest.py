"""A pytest plugin: `pytest --microgrid-engine my_engine.py:Value` runs the properties as tests.

Each property is one test item; its failure shows the smallest program. The fixture
`microgrid_engine` is the class itself, for property tests of one's own:

    @given(programs())
    def test_my_engine(microgrid_engine, program):
        leaves, root = program.build(microgrid_engine)
        root.backward()
        assert [x.grad for x in leaves] == approx([float(g) for g in program.gradients()])

pytest loads this file in every project of the environment. So it is installed as a module of its
own, which imports microgrid only if an engine is given, and all its names begin with microgrid.
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("microgrid")
    group.addoption("--microgrid-engine", metavar="PATH[:CLASS]", help="check this autodiff engine")
    group.addoption(
        "--microgrid-engine-seed", type=int, default=0, metavar="N", help="draw other programs"
    )
    group.addoption(
        "--microgrid-engine-strict", action="store_true", help="what is fragile fails, too"
    )


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    target = config.getoption("--microgrid-engine")
    if not target:
        return
    try:
        from microgrid.check.engine import EngineError, parse
        from microgrid.check.properties import PROPERTIES
    except ModuleNotFoundError as error:
        from microgrid.engine.extras import explained

        raise pytest.UsageError(str(explained(error, "--microgrid-engine needs"))) from None
    try:
        parse(target)
    except EngineError as error:
        raise pytest.UsageError(str(error)) from None
    engine = EngineUnderTest.from_parent(session, name=str(target))
    found = [PropertyItem.from_parent(engine, name=name) for name in PROPERTIES]
    items += found
    report = pytest.CollectReport(engine.nodeid, "passed", None, [*found])  # they are counted, too
    config.hook.pytest_collectreport(report=report)


class EngineUnderTest(pytest.Collector):
    """The engine; its report is made when the first property needs it, and kept."""

    made: Any = None
    refused: PropertyFailed | None = None

    def collect(self) -> list[pytest.Item]:
        return []

    def report(self) -> Any:
        if self.refused is not None:
            raise self.refused
        if self.made is None:
            from microgrid.check import check
            from microgrid.check.engine import EngineError

            try:
                seed = self.config.getoption("--microgrid-engine-seed")
                chosen = [x.name for x in self.session.items if isinstance(x, PropertyItem)]  # -k
                self.made = check(self.name, only=chosen, seed=seed)
            except EngineError as error:
                self.refused = PropertyFailed(str(error))
                raise self.refused from None
        return self.made


class PropertyItem(pytest.Item):
    """One property of the engine."""

    def runtest(self) -> None:
        engine = self.parent
        assert isinstance(engine, EngineUnderTest)
        result = next(r for r in engine.report().results if r.prop.name == self.name)
        strict = self.config.getoption("--microgrid-engine-strict")
        kinds = {"wrong", "fragile"} if strict else {"wrong"}
        failed = [f for f in result.findings if f.kind in kinds]
        if failed:
            raise PropertyFailed("\n\n".join(map(str, failed)))
        if result.not_run:
            raise PropertyFailed(f"not run to its end: {result.not_run}")
        if result.state in ("absent", "follows", "waits"):
            pytest.skip(f"{result.state}: {result.detail}")

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if isinstance(excinfo.value, PropertyFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int, str]:
        parent = self.parent.name if self.parent else ""
        return self.path, 0, f"{parent}: {self.name}"


class PropertyFailed(AssertionError):
    """A property does not hold for the engine."""


@pytest.fixture(scope="session")
def microgrid_engine(request: pytest.FixtureRequest) -> Any:
    """The class that `--microgrid-engine` names, loaded into this process."""
    target = request.config.getoption("--microgrid-engine")
    if not target:
        pytest.skip("no --microgrid-engine given")
    from microgrid.check.engine import parse
    from microgrid.check.loading.engines import load_engine

    place, kind, name = parse(target)
    return load_engine(place, kind == "path", name).cls
