"""What the property tests draw: the checker's public strategies, and some of their own."""

from __future__ import annotations

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
    "Program",
    "affine_problems",
    "floats",
    "fractions",
    "hundredths",
    "integer_floats",
    "labels",
    "programs",
    "small_integers",
]

floats = st.floats(-1e3, 1e3)
labels = st.text(  # all that a Value takes as a label
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1
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
