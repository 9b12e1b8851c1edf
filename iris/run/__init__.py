"""What RUNS actors: gevent and threads live here (and in mesh/link.py, interop/) only.

native -> clock -> hub -> carrier -> turn: from the thread up to one handler call.
push, pull, observed: one runner for each kind of actor.
context, waiter: who runs here, and how it waits. delivery: the one door for messages.
lifecycle: the one door in and the one door out. timing, registry, swapping: what else a runtime offers.
process: forks and the end of the interpreter.
"""
