"""Benchmarks: what Iris and its peers do in a second, and what an actor costs.

Map: `actors.py` is the command; `rows.py` is the table of workloads and floors; `common.py` knows
machines, interpreters, figures and tables; `child.py` runs one workload in a fresh process;
`gauges.py` holds the tools that workloads measure with; `workloads/` are the workloads on Iris;
`peers/` are the same workloads on other systems.
"""
