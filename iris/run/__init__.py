"""What RUNS actors: threads, clocks and gevent are touched here only.

native -> clock -> hub -> carrier -> turn: from the thread up to one handler call.
push, lazy, pull, blocking: the runners, one for each way in which actors are run.
pullbox, bed, lodging, threads, overflow: what pull actors get, where they sleep and live.
crew: the worker threads of blocking. spawning: which kinds of actor there are.
context, waiter: who runs here, and how it waits. delivery: the one door for messages.
requests, asking: questions and answers. undelivered: messages that no handler has seen.
lifecycle (with crash and log): the one door in and the one door out.
registry, bounds, timing, swapping, closing: what else a runtime offers.
watchdog, whoseturn: turns that are too long.
process: forks and the end of the interpreter. simhub: a hub with virtual time, for tests.
"""
