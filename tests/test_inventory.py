"""Each public name says what it is and shows how it is used; dir() shows what is for users."""

import ast
import inspect
import textwrap
from types import ModuleType

import pytest

import microgrid as mg
from microgrid import derive, nn, optim, plots
from microgrid.check import LayerReport, check, museum
from microgrid.course import exercise, worksheet


def public_modules(module=mg):
    """Each module that users reach by names of `__all__`."""
    yield module
    for x in (getattr(module, name) for name in module.__all__):
        if isinstance(x, ModuleType):
            yield from public_modules(x)


def is_ours(x):
    return str(getattr(x, "__module__", "")).startswith("microgrid")


PUBLIC = {
    x: f"{module.__name__}.{name}"
    for module in public_modules()
    for name in module.__all__
    if is_ours(x := getattr(module, name)) and (inspect.isclass(x) or inspect.isfunction(x))
}
NO_EXAMPLE = {"Spread": "it needs the workers of a cluster"}


@pytest.mark.parametrize("thing", PUBLIC, ids=PUBLIC.get)
def test_every_public_function_and_class_has_words_of_its_own_and_an_example(thing):
    words = thing.__doc__  # which no class inherits
    assert words.split("\n\n")[0].rstrip().endswith((".", ":"))
    assert (">>> " in words) != (thing.__name__ in NO_EXAMPLE)


CLASSES = [x for x in PUBLIC if inspect.isclass(x)]
OPERATIONS_OF_A_STUDENT = {name for name in vars(museum.Value) if name in mg.__all__}


def own_members(kind):
    """The public methods and properties of a class, inherited ones of ours, too."""
    for name in dir(kind):
        home = next((k for k in kind.__mro__ if name in vars(k)), None)
        member = inspect.getattr_static(kind, name)
        function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
        is_field = name in getattr(kind, "__dataclass_fields__", ())
        if (
            not (name.startswith("_") or is_field)
            and is_ours(home)
            and inspect.isfunction(function)
        ):
            yield name, function


@pytest.mark.parametrize("kind", CLASSES, ids=PUBLIC.get)
def test_every_public_method_and_property_says_what_it_gives(kind):
    silent = [n for n, _ in own_members(kind) if not inspect.getdoc(getattr(kind, n))]
    assert {*silent} <= (OPERATIONS_OF_A_STUDENT if kind is museum.Value else set())


def raised_by(function):
    """The errors in the raise statements of a function."""
    if function.__code__.co_filename == "<string>":  # a strategy that hypothesis has made
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = [n.exc for n in ast.walk(tree) if isinstance(n, ast.Raise)]
    return {x.func.id for x in found if isinstance(x, ast.Call) and isinstance(x.func, ast.Name)}


NAMED_ELSEWHERE = {"clip": "`out` is for NumPy alone, and always None"}


@pytest.mark.parametrize("thing", PUBLIC, ids=PUBLIC.get)
def test_an_error_that_a_public_function_raises_is_named_in_its_documentation(thing):
    """By itself or by its class; those that it only passes on are told where it is worth it."""
    if issubclass(type(thing), type) and issubclass(thing, Exception):
        return
    members = dict(own_members(thing)) if inspect.isclass(thing) else {"": inspect.unwrap(thing)}
    for name, function in members.items():
        words = f"{inspect.getdoc(thing)} {inspect.getdoc(getattr(thing, name, thing))}"
        known = {x for x in raised_by(function) if hasattr(mg.errors, x)}
        missing = {x for x in known if x not in words}
        assert not missing or thing.__name__ in NAMED_ELSEWHERE, (name, missing)


def test_the_search_sees_methods_properties_and_errors():
    found = dict(own_members(optim.Adam))
    assert {"step", "rate", "save", "zero_grad"} <= found.keys()
    assert raised_by(found["step"]) == {"ParameterError"}
    assert len(PUBLIC) > 150
    assert {m.__name__ for m in public_modules()} >= {
        "microgrid.check.museum",
        "microgrid.matrices.derive",
    }


x = mg.Value(2.0, "x")
y = x * x + 3.0
program = mg.record(lambda w, x: w * x, 1.0, 2.0)
report = check(museum.broken("overwrites", "add"), only=["reuse"], draws=1)
term = mg.results.Term("out[0]", 0.0, 1.0, "missing")
worst_entry = mg.results.Worst("dw[0]", 0.0, 1.0, [term])
layer_gradient = mg.results.Gradient("w", "dw", "wrong", worst=worst_entry)
layer_report = LayerReport("layers.py", [mg.results.Found("affine", "", [layer_gradient])])
finding = report.findings[0]
derivation = derive.affine(dX="dY @ W")
sheet = worksheet(7, "forks", n=1)
marks = sheet.mark_all({"Ada": {"1.a": -18}})
model = nn.Sequential(nn.Affine(2, 3, seed=0), nn.Tanh())
gradient = mg.gradcheck(lambda x: x * x, 3.0)
TABLE = "csv html latex markdown records save"
MODEL = (
    "load load_state name_parameters named_parameters parameters save set_parameters state "
    "with_parameters zero_grad"
)
OPTIMIZER = (
    "clip_norm load load_state lr memory parameters rate save size state step steps "
    "update_direction weight_decay zero_grad"
)
HELD = {
    "Explanation": (mg.explain(y), f"{TABLE} names root rows"),
    "ForwardExplanation": (mg.explain(y, mode="forward"), f"{TABLE} names root rows"),
    "Paths": (mg.explain(y, x), f"{TABLE} count gradient names paths"),
    "Formula": (mg.latex(y), "latex markdown save"),
    "Picture": (mg.draw(y), "latex layout pipe prefix render save save_png save_svg source tikz"),
    "Steps": (mg.steps(y), "animated_svg data folded frames html key layout page picture "
              "prefix save save_animation save_frames svg table title"),
    "Counterexample": (derivation.counterexamples[0], "got numbers right sizes"),
    "Derivation": (derivation, "counterexamples failed html latex layer markdown ok only parts "
                   "save steps tex title verdict"),
    "Step": (derivation.steps[0], "equations example general holds latex note part title verdict "
             "words"),
    "Batched": (program.batched((None, 0)), "axes jvp matrices on program signature source tape "
                "threads value_and_grad"),
    "Program": (program, "backend batched engine fast gradient hessian jacobian jvp listing "
                "matrices of signature source tape value_and_grad vjp"),
    "Vmapped": (mg.vmap(lambda x: x), ""),
    "Listing": (program.listing(), "html latex legend markdown save"),
    "Matrices": (program.matrices(), "draw formulas html latex markdown save"),
    "Example": (finding.program, "as_written expected lines look sent text"),
    "Failure": (finding.failure, "actual convention digits example expected note"),
    "Outcome": (
        finding.failure.actual,
        "agrees category error kind numbers refused scale stopped tolerance unsuited where",
    ),
    "Finding": (finding, "anatomy comparison diagnosis failure headline hint kind lines more "
                "operations program prop sentence subjects summary"),
    "Result": (report.results[0], "absent detail findings follows held not_run prop state waits"),
    "Diagnosis": (finding.diagnosis, "engine mistake op"),
    "Report": (report, "about complete count exit_code findings gradescope html json junit lacking "
               "lines missing ok options remarks required results save single strict target "
               "unknown verdict written"),
    "LayerReport": (layer_report, "count exit_code found gradescope gradients html json junit "
                    "lines ok remarks save seed target unfinished verdict written"),
    "Found": (layer_report.found[0],
              "also gradients habits inside name refusal refused seconds setting"),
    "Gradient": (layer_gradient, "detail entries error hidden input line name ok sentences setting "
                 "verdict worst wrong"),
    "Line": (mg.results.Line(1, "x = 2"), "file number text"),
    "Worst": (worst_entry, "entry formulas right terms theirs"),
    "Term": (term, "note output right theirs"),
    "Entry": (gradient.entries[0], "curve difference error gradient name noise step verdict"),
    "GradientReport": (gradient, f"{TABLE} entries first_wrong kinks ok remarks worst"),
    "NotFinite": (mg.first_nonfinite(mg.Value(1e200) * 1e200), "node number what why"),
    "Plot": (plots.functions({"f": mg.sin}), "bytes figure save"),
    "History": (optim.fit(lambda w: w * w, 1.0, optimizer=optim.SGD(), epochs=1),
                f"{TABLE} best epochs keys names parameters plot steps stopped"),
    "Exercise": (exercise(3), "check decimals judge mistakes probe question right solution why"),
    "Markdown": (exercise(3).solution(), ""),
    "Verdict": (exercise(3).check(None), "lines ok"),
    "ClassMarks": (marks, "csv html markdown marks mistakes points rows save unclear"),
    "Marks": (marks.marks["Ada"], f"{TABLE} carried marks mistakes points total"),
    "Mark": (marks.marks["Ada"].marks[0], "given hint key verdict"),
    "Play": (mg.play(y), "answer"),
    "Worksheet": (sheet, "answers check command form html kind latex mark_all problems save seed"),
    "Sequential": (model, f"{MODEL} layers"),
    "Affine": (model.layers[0], f"{MODEL} b w"),
    "SGD": (optim.SGD(), f"{OPTIMIZER} momentum nesterov velocity"),
    "Adam": (optim.Adam(), f"{OPTIMIZER} betas eps first second"),
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_dir_of_what_people_hold_shows_what_is_for_them(name):
    thing, names = HELD[name]
    assert type(thing).__name__ == name
    of_python = {*dir(str), *dir(tuple)} if isinstance(thing, str | tuple) else set()
    shown = {n for n in dir(thing) if not n.startswith("_")} - of_python
    assert shown == {*names.split()}


def test_all_classes_of_results_are_looked_at():
    assert {*mg.results.__all__} - HELD.keys() == {"Spread"}
