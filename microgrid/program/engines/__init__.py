"""What runs a plan: numpy_engine.py, short and always there; numba_engine.py, compiled."""
