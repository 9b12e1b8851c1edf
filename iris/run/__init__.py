"""What RUNS actors: gevent and threads live here (and in mesh/link.py, interop/) only.

native -> clock -> hub -> carrier -> turn: from the thread up to one handler call.
push, pull (with bed and threads): how the kinds of actor are run. spawning: which kinds there are.
context, waiter: who runs here, and how it waits. delivery: the one door for messages.
lifecycle (with crash and log): the one door in and the one door out.
registry, bounds, timing, swapping, closing: what else a runtime offers.
process: forks and the end of the interpreter. simhub: a hub with virtual time, for tests.
"""
