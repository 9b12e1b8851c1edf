"""What an actor IS: values and rules, without threads, clocks, sockets, gevent or logs.

pid -> messages -> behavior -> mailbox -> cell -> table: the facts of one actor, inside out.
idle: what a virtual actor has at its door.
links, waits, names, paths, supervision: how actors know each other.
timers, runqueue: what is due, and who is ready. book: how a large dict gives its memory back.
tally, letters: what became of each message. longturns: which samples are a long turn.
"""
