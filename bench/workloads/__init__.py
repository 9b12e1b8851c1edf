"""The workloads on Iris.

`messages.py` has the rates, `memory.py` the bytes per actor, `timing.py` swaps, timers and import.
"""
