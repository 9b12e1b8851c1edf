"""What an actor IS: values and rules, without threads, clocks, sockets, gevent or logs.

pid -> messages -> behavior -> mailbox -> cell -> table: the facts of one actor, inside out.
links, waits, names, paths, supervision: how actors know each other.
timers, runqueue, tally: what is due, who is ready, what became of each message.
"""
