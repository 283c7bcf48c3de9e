"""Unknown names: what another library calls it, what was misspelt, and that nobody waits for it."""

import copy
import pickle
import re
from importlib import import_module

import numpy as np
import pytest

import microgrid as mg
from microgrid import nn, optim
from microgrid.course import exercise, worksheet
from microgrid.engine.hints import FOREIGN, UnknownKeywordError, UnknownNameError, no_key

x = mg.Value(2.0, "x")
y = x * x
model = nn.Sequential(nn.Affine(2, 3, seed=0), nn.ReLU())
optimizer = optim.Adam(model)
program = mg.record(lambda a: a * a, 1.0)
sheet = worksheet(7)
history = optim.fit(lambda w: w * w, 1.0, optimizer=optim.SGD(), epochs=2)
OWNERS = {
    "microgrid": mg, "microgrid.nn": nn, "microgrid.optim": optim, "Value": y, "Module": model,
    "Optimizer": optimizer, "Program": program, "History": history, "Written": mg.explain(y),
    "Picture": mg.draw(y), "Plot": history.plot(), "Worksheet": sheet,
}  # fmt: skip
NAMES = [
    (home, name) for home in FOREIGN if home in OWNERS for name in " ".join(FOREIGN[home]).split()
]


@pytest.mark.parametrize(("home", "name"), NAMES)
def test_a_name_of_another_library_is_told_with_what_to_write(home, name):
    owner = OWNERS[home]
    assert not hasattr(owner, name)
    assert getattr(owner, name, "default") == "default"
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    assert isinstance(caught.value, mg.MicrogridError)
    told = next(text for names, text in FOREIGN[home].items() if name in names.split())
    assert str(caught.value).endswith(f"has no attribute {name!r}: {told}")


def test_every_home_of_the_table_is_looked_at_and_what_it_says_exists():
    functions = {home for home in FOREIGN if home.endswith("()")}
    assert {*OWNERS} == FOREIGN.keys() - functions
    rooms = {"mg": mg, "nn": nn, "optim": optim, "np": np, "v": y, "y": y, "A": np.ones(2)}
    rooms |= {"model": model, "optimizer": optimizer, "program": program, "history": history}
    rooms |= {"loss": y, "table": history, "picture": mg.draw(y), "plot": history.plot()}
    rooms |= {"sheet": sheet}
    for told in [text for table in FOREIGN.values() for text in table.values()]:
        for room, name in re.findall(r"\b([a-zA-Z]+)\.([a-zA-Z_]+)", re.sub("'[^']*'", "", told)):
            assert room in ("self", "pd") or hasattr(rooms[room], name), told


class Fragile(nn.Module):
    @property
    def depth(self):
        return self.lenght

    @property
    def broken(self):
        raise AttributeError("of its own")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: mg.sigmod, "'microgrid' has no attribute 'sigmod': did you mean 'sigmoid'"),
        (lambda: mg.Affine, "it is mg.nn.Affine"),
        (lambda: mg.Adam, "it is mg.optim.Adam"),
        (lambda: mg.ShapeError, "it is mg.errors.ShapeError"),
        (lambda: nn.sigmoid, "it is mg.sigmoid"),
        (lambda: nn.Relu, "did you mean 'ReLU'"),
        (lambda: nn.afine, "did you mean 'Affine'"),
        (lambda: mg.errors.ShpaeError, "did you mean 'ShapeError'"),
        (lambda: model.paramters, "'Sequential' object .* did you mean 'parameters'"),
        (lambda: optimizer.zero_grads, "'Adam' object .* did you mean 'zero_grad'"),
        (lambda: program.batchd, "did you mean 'batched'"),
        (lambda: program.batched(0).value_and_grads, "did you mean 'value_and_grad'"),
        (lambda: mg.Value.numpy, "write v.data"),
        (lambda: mg.explain(y).row, "'Explanation' object .* did you mean 'rows'"),
        (lambda: mg.latex(y).to_latex, "'Formula' object .* latex\\(\\)"),
        (lambda: mg.draw(y).sav, "'Picture' object .* did you mean 'save'"),
        (lambda: mg.steps(y).frame, "'Steps' object .* did you mean 'frames'"),
        (lambda: exercise(3).solutions, "'Exercise' object .* did you mean 'solution'"),
        (lambda: worksheet(7).answer, "'Worksheet' object .* did you mean 'answers'"),
        (lambda: Fragile().depth, "no attribute 'lenght'"),
        (lambda: Fragile().broken, "^of its own$"),
        (lambda: mg.qqqqq, "'microgrid' has no attribute 'qqqqq'$"),
    ],
)
def test_the_nearest_name_or_its_room_is_told(ask, said):
    with pytest.raises(AttributeError, match=said):
        ask()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: y.backward(retain_graph=True), r"Value.backward\(\) has no argument 'retain_gr"),
        (lambda: y.backward(create_graph=True), "write mg.gradients"),
        (lambda: y.backward(upsteam=2.0), "did you mean 'upstream'"),
        (lambda: mg.softmax([x, x], axis=0), r"nn.Softmax\(\)\(A\) goes row by row"),
        (lambda: mg.total([x, x], axis=0), r"write A.sum\(axis=0\)"),
        (lambda: mg.clip(x, hgih=1), "did you mean 'high'"),
        (lambda: nn.Affine(2, 3, bias=False), "every Affine has a bias"),
        (lambda: nn.Affine(2, 3, inti="he"), "did you mean 'init'"),
        (lambda: optim.Adam(model, wieght_decay=0.1), "did you mean 'weight_decay'"),
        (lambda: optim.fit(len, model, optimizers=optimizer), "did you mean 'optimizer'"),
    ],
)
def test_an_unknown_keyword_is_told_with_what_to_write(call, said):
    with pytest.raises(TypeError, match=said) as caught:
        call()
    assert isinstance(caught.value, UnknownKeywordError)


def test_the_words_of_numpy_and_pytorch_that_mean_the_same_work():
    assert mg.clip(x, min=3.0).data == x.clip(min=3.0).data == mg.clip(x, low=3.0).data == 3.0
    assert x.clip(max=1.0).data == 1.0
    assert y.item() == y.data == 4.0
    assert type(mg.Value(1).item()) is int


def test_an_unknown_key_is_told_with_the_keys_there_are():
    for ask in (lambda: history["los"], lambda: history["val_loss"]):
        with pytest.raises(KeyError, match=r"a history has no '.*': there are loss"):
            ask()
    error = no_key("a table", "fuor", ["one", "two", "four"])
    assert str(error) == "a table has no 'fuor': there are four, one, two"


def test_the_words_are_looked_for_when_the_error_is_read():
    """`hasattr` is asked thousands of times, the message read once."""

    class Counted(nn.Module):
        asked = 0

        def __dir__(self):
            Counted.asked += 1
            return super().__dir__()

    error = None
    try:
        _ = Counted().paramters
    except AttributeError as caught:
        error = caught
    assert not Counted.asked
    assert "parameters" in str(error)
    assert Counted.asked


def test_an_error_of_a_name_is_pickled_with_its_words():
    with pytest.raises(UnknownNameError) as caught:
        _ = model.state_dict
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (UnknownNameError, str(caught.value))


KEPT = [model, optimizer, program, history, mg.explain(y), mg.latex(y), mg.draw(y), worksheet(7)]


@pytest.mark.parametrize("thing", KEPT, ids=lambda x: type(x))
def test_what_gives_hints_is_copied_and_pickled_as_before(thing):
    for made in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
        assert type(made) is type(thing)
        assert getattr(made, "__dict__", {}).keys() == getattr(thing, "__dict__", {}).keys()


def test_an_attribute_of_a_value_is_read_without_python_code():
    """A __getattr__ of Value makes each read of a slot slower, and np.array of Values 20 times."""
    assert not any("__getattr__" in vars(kind) for kind in mg.Value.__mro__)
    assert not {*" ".join(FOREIGN["Value"]).split()} & {*dir(y)}


@pytest.mark.parametrize("room", ["microgrid", "microgrid.nn", "microgrid.optim"])
def test_a_room_says_what_is_there_by_dir(room):
    module = import_module(room)
    assert {*module.__all__} <= {*dir(module)}
