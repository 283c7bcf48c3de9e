"""What the property tests draw: the checker's public strategies, and some of their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from microgrid.check.strategies import (
    RATIONAL,
    Program,
    affine_problems,
    fractions,
    hundredths,
    integer_floats,
    programs,
    small_integers,
)

__all__ = [
    "QUICK",
    "RATIONAL",
    "Pair",
    "Program",
    "affine_problems",
    "floats",
    "fractions",
    "hundredths",
    "integer_floats",
    "labels",
    "programs",
    "small_integers",
    "structures",
]

floats = st.floats(-1e3, 1e3)
labels = st.text(  # all that a Value takes as a label
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1
)


class Pair(NamedTuple):
    """A named tuple, as people write them."""

    left: Any
    right: Any


def structures(
    numbers: st.SearchStrategy[float] = hundredths, leaves: int = 6
) -> st.SearchStrategy[Any]:
    """Numbers in lists, tuples, named tuples, dicts and arrays, nested in each other."""
    arrays = st.builds(
        lambda x, shape: np.resize(np.array(x), shape),
        st.lists(numbers, min_size=4, max_size=4),
        st.sampled_from([(1,), (3,), (2, 2)]),
    )
    keys = st.sampled_from(["w", "b", "x y", "é", "_k", 0, 1, (2, "t")])
    return st.recursive(
        st.one_of(numbers, arrays),
        lambda part: st.one_of(
            st.lists(part, min_size=1, max_size=3),
            st.lists(part, min_size=1, max_size=3).map(tuple),
            st.builds(Pair, part, part),
            st.dictionaries(keys, part, min_size=1, max_size=3),
        ),
        max_leaves=leaves,
    )


# For planted bugs the first failure will do: no shrinking, no database, the same draws each time.
QUICK = settings(
    max_examples=500,
    database=None,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
