"""The same workloads on other systems, one file a system.

Each file offers `WORKLOADS` (name -> function of n giving figures); where it needs them also
`LIMITS` (name -> largest n it can stand), `REPEATS_MAX` (name -> most repeats in a process) and
`NOT_FEASIBLE` (name -> the reason that the table prints). `REPEATED` stands for `WORKLOADS` in a
system that has to do the repeats by itself. A workload in none of them is left out.
"""
