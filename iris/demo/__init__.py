"""The demonstration behind `iris demo`: a price series streamed through supervised actors.

feed      the file: is it usable, its rows as text, a row of text as a price
figures   the numbers: means, volatility, trend (pure)
stages    the push actors: parser, market, symbols, workers
collector the pull actor that gathers results, reports progress and writes the tables
tally     what the collector has counted (pure)
report    the lines that are shown: progress, failures, restarts, tables, accounting (pure)
ledger    does everything add up? (pure)
run       the wiring, the stream, the exit code

The way of a row: sender thread -> parser (bounded, policy block) -> market -> its symbol
-> one of the workers -> collector. A supervisor has made parser, market and workers from specs.
A row that makes no sense crashes the parser in mid-stream; it comes back with its pid and its
queue, so that row is lost and no other.

With `--mesh` the workers are in a second process, which is killed in mid-stream:

outpost    the wiring to the second process, in place of the workers
process    the second process as the first one sees it
pool       the second process itself
keeper     the pull actor that has the process; its supervisor starts it again
dispatcher the push actor that gives jobs to the workers' proxies until they are answered
jobs       its books (pure)
news       what is told of the second process (pure)

There the way of a row is: symbol -> dispatcher -> proxy of a worker -> worker in the second process
-> proxy of the results there -> results -> dispatcher -> collector.
"""
