"""Hypothesis profiles: `pytest --hypothesis-profile deep` draws twenty times as much."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("deep", settings.get_profile("default"), max_examples=2000)
settings.load_profile("default")
