"""The demonstration behind `iris demo`: a price series streamed through a tree of actors.

feed      the file: is it usable, its rows as text, a row of text as a price
figures   the numbers: means, volatility, trend (pure)
stages    the push actors: intake, parsers, market, symbols, pool workers
collector the pull actor that gathers results, reports progress and writes the table
tally     what the collector has counted (pure)
report    the lines that are shown: progress, failures, table, accounting (pure)
ledger    does everything add up? (pure)
run       the wiring, the stream, the exit code

The way of a row: sender thread -> intake (bounded, policy block) -> a parser of its own
-> market -> its symbol -> a worker of the pool -> collector.
"""
