"""What runs a plan: numpy_engine.py, short and always there, or numba_engine.py with kernel.py."""
