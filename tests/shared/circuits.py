"""Circuits as text, to be drawn by tests."""

from hypothesis import strategies as st


def formulas(names):
    pair = "({} {} {})".format
    leaf = st.sampled_from([*names, "2", "0.5"])
    return st.recursive(
        leaf,
        lambda x: st.one_of(
            st.builds(pair, x, st.sampled_from("+-*"), x),
            st.builds("{}({})".format, st.sampled_from(["tanh", "sigmoid", "relu"]), x),
            st.builds("max({}, {})".format, x, x),
        ),
        max_leaves=5,
    )


@st.composite
def texts(draw):
    """Circuits in lines that are both ours and Python's."""
    names, lines = ["a", "b", "c"], []
    for name in ("h", "k", "f")[-draw(st.integers(1, 3)) :]:
        lines.append(f"{name} = {draw(formulas(names))}")
        names.append(name)
    return "\n".join(lines)


numbers = st.fixed_dictionaries(
    dict.fromkeys("abc", st.integers(-12, 12).map(lambda n: n / 4))  # no sum is rounded
)
