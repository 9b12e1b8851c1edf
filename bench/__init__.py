"""Benchmarks: what Iris and its peers do in a second, and what an actor costs.

Map: `actors.py` and `mesh.py` are the commands, `command.py` is what they share; `rows.py` holds
the tables of workloads and floors; `common.py` knows machines, interpreters, figures and tables;
`child.py` runs one workload in a fresh process, `second.py` is the other process of a mesh row;
`gauges.py` holds the tools that workloads measure with; `workloads/` are the workloads on Iris;
`peers/` are the same workloads on other systems.
"""
