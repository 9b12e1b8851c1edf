"""What an actor IS: values and rules, without threads, clocks, sockets, gevent or logs.

pid -> messages -> mailbox -> behavior -> cell -> table: the facts of one actor, from the inside out.
links, names, paths, supervision: how actors know each other.
timers, runqueue, tally: what is due, who is ready, what became of each message.
"""
