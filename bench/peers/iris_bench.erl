%% The workloads of this folder as plain Erlang processes, for one scheduler (erl +S 1:1).
%%
%% main([Workload, N, Repeats]) prints one JSON line {"repeats": [figures, ...]}, as the Python sides do. A receiver
%% counts its own messages and tells the main process at its last one; the clock stops when the last has told.
-module(iris_bench).
-export([main/1]).

main([Workload, N, Repeats]) ->
    Run = workload(list_to_atom(Workload)),
    Size = list_to_integer(N),
    Figures = [figures(Run(Size)) || _ <- lists:seq(1, list_to_integer(Repeats))],
    io:format("{\"repeats\": [~s]}~n", [lists:join(", ", Figures)]),
    halt(0).

workload(spawn) -> fun spawn_rate/1;
workload(spread) -> fun spread/1;
workload(sink) -> fun sink/1;
workload(pingpong) -> fun pingpong/1;
workload(fanout) -> fun fanout/1;
workload(swaps) -> fun swaps/1;
workload(crash) -> fun crash/1;
workload(rss_idle) -> fun rss_idle/1;
workload(rss_drained) -> fun rss_drained/1;
workload(timer_0us) -> fun(N) -> timer(N, 0) end;
workload(timer_100us) -> fun(N) -> timer(N, 100) end.

%% --- figures ---------------------------------------------------------------------------------------------------

figures(Pairs) ->
    Items = [io_lib:format("\"~s\": ~w", [Key, float(Value)]) || {Key, Value} <- Pairs],
    ["{", lists:join(", ", Items), "}"].

now_us() -> erlang:monotonic_time(microsecond).

rate(N, Start, End) -> N * 1.0e6 / max(1, End - Start).

rss_bytes() ->
    erlang:garbage_collect(),
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [KiB]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, [1], list}]),
    list_to_integer(KiB) * 1024.

%% --- processes -------------------------------------------------------------------------------------------------

%% Ignore messages; answer a {sync, From}, which is how the main process knows that those before it have started.
idle() ->
    receive
        {sync, From} -> From ! synced, idle();
        _ -> idle()
    end.

counting(0, Main) -> Main ! done;
counting(Left, Main) ->
    receive m -> counting(Left - 1, Main) end.

spawn_idle(N) -> [spawn(fun idle/0) || _ <- lists:seq(1, N)].

sync(Pid) ->
    Pid ! {sync, self()},
    receive synced -> ok end.

await_done(0) -> ok;
await_done(Left) ->
    receive done -> await_done(Left - 1) end.

send_each(Pids) -> lists:foreach(fun(Pid) -> Pid ! m end, Pids).

rounds(0, _Pids) -> ok;
rounds(Left, Pids) -> send_each(Pids), rounds(Left - 1, Pids).

kill_all(Pids) -> lists:foreach(fun(Pid) -> exit(Pid, kill) end, Pids).

%% --- rates -----------------------------------------------------------------------------------------------------

spawn_rate(N) ->
    Start = now_us(),
    Pids = spawn_idle(N),
    sync(lists:last(Pids)),
    End = now_us(),
    kill_all(Pids),
    [{rate, rate(N, Start, End)}].

spread(N) ->
    Main = self(),
    Actors = N div 10,
    Pids = [spawn(fun() -> counting(10, Main) end) || _ <- lists:seq(1, Actors)],
    timer:sleep(200),
    Start = now_us(),
    rounds(10, Pids),
    await_done(Actors),
    [{rate, rate(N, Start, now_us())}].

sink(N) ->
    Main = self(),
    Pid = spawn(fun() -> counting(N, Main) end),
    Start = now_us(),
    send_times(N, Pid),
    await_done(1),
    [{rate, rate(N, Start, now_us())}].

send_times(0, _Pid) -> ok;
send_times(Left, Pid) -> Pid ! m, send_times(Left - 1, Pid).

pingpong(N) ->
    Main = self(),
    Echo = spawn(fun echo/0),
    Start = now_us(),
    spawn(fun() -> ping(N div 2, Echo, Main) end),
    await_done(1),
    End = now_us(),
    exit(Echo, kill),
    [{rate, rate(N, Start, End)}].

echo() ->
    receive From -> From ! pong, echo() end.

ping(0, _Echo, Main) -> Main ! done;
ping(Left, Echo, Main) ->
    Echo ! self(),
    receive pong -> ping(Left - 1, Echo, Main) end.

fanout(N) ->
    Main = self(),
    Each = N div 1000,
    Pids = [spawn(fun() -> counting(Each, Main) end) || _ <- lists:seq(1, 1000)],
    timer:sleep(50),
    Start = now_us(),
    spawn(fun() -> rounds(Each, Pids) end),
    await_done(1000),
    [{rate, rate(N, Start, now_us())}].

crash(N) ->
    %% exit/1 and not error/1: the logger's report of each would be the larger part of the figure.
    Pids = [spawn(fun() -> receive m -> exit(boom) end end) || _ <- lists:seq(1, N)],
    timer:sleep(200),
    Last = erlang:monitor(process, lists:last(Pids)),
    Start = now_us(),
    send_each(Pids),
    receive {'DOWN', Last, process, _, boom} -> ok end,
    [{rate, rate(N, Start, now_us())}].

%% --- swaps -----------------------------------------------------------------------------------------------------

swaps(N) ->
    Main = self(),
    Handled = counters:new(1, []),
    Old = fun() -> counters:add(Handled, 1, 1) end,
    New = fun() -> counters:add(Handled, 1, 1), ok end,
    Pid = spawn(fun() -> swappable(Old) end),
    Feeder = spawn(fun() -> feed(Pid) end),
    AloneStart = now_us(),
    timer:sleep(500),
    Alone = rate(counters:get(Handled, 1), AloneStart, now_us()),
    Before = counters:get(Handled, 1),
    Start = now_us(),
    swap_times(N, Pid, Old, New),
    Pid ! {swap, fun() -> Main ! done, exit(normal) end},
    await_done(1),
    End = now_us(),
    exit(Feeder, kill),
    During = rate(counters:get(Handled, 1) - Before, Start, End),
    [{rate, rate(N, Start, End)}, {messages_during, During}, {messages_alone, Alone}].

swap_times(0, _Pid, _Next, _Other) -> ok;
swap_times(Left, Pid, Next, Other) -> Pid ! {swap, Next}, swap_times(Left - 1, Pid, Other, Next).

swappable(Handle) ->
    receive
        {swap, Next} -> swappable(Next);
        m -> Handle(), swappable(Handle)
    end.

%% Send without end, with at most some 20,000 messages waiting.
feed(Pid) ->
    send_times(500, Pid),
    case erlang:process_info(Pid, message_queue_len) of
        {message_queue_len, Waiting} when Waiting > 20000 -> timer:sleep(1), feed(Pid);
        {message_queue_len, _} -> feed(Pid);
        undefined -> ok
    end.

%% --- memory ----------------------------------------------------------------------------------------------------

rss_idle(N) ->
    Before = rss_bytes(),
    Pids = spawn_idle(N),
    sync(lists:last(Pids)),
    After = rss_bytes(),
    [{bytes, (After - Before) / length(Pids)}].

rss_drained(N) ->
    Before = rss_bytes(),
    Pids = spawn_idle(N),
    drained(10, Pids),
    timer:sleep(1000),
    [{bytes, (rss_bytes() - Before) / length(Pids)}].

drained(0, _Pids) -> ok;
drained(Left, Pids) -> send_each(Pids), sync(lists:last(Pids)), drained(Left - 1, Pids).

%% --- timer -----------------------------------------------------------------------------------------------------

timer(N, BusyUs) ->
    Main = self(),
    Handled = counters:new(1, []),
    Loops = loops_of(BusyUs),
    Storm = [spawn(fun() -> storm(Loops, Handled) end) || _ <- lists:seq(1, 500)],
    Start = now_us(),
    StartMs = erlang:monotonic_time(millisecond),
    spawn(fun() -> tick(N, StartMs + 10000, StartMs + 5, [], 0, Main) end),
    send_each(Storm),
    {Late, Skipped} = receive {late, List, Count} -> {lists:sort(List), Count} end,
    Rate = rate(counters:get(Handled, 1), Start, now_us()),
    kill_all(Storm),
    [{p50_ms, percentile(Late, 0.50)}, {p99_ms, percentile(Late, 0.99)}, {max_ms, lists:last(Late) / 1000},
     {firings, length(Late)}, {skipped, Skipped}, {storm_rate, Rate}].

percentile(Ordered, Share) ->
    Count = length(Ordered),
    lists:nth(min(Count, trunc(Count * Share) + 1), Ordered) / 1000.

%% An interval on a fixed grid: each firing sets the next one, at the next point of the grid.
tick(Left, UntilMs, DueMs, Late, Skipped, Main) when Left =:= 0; DueMs > UntilMs ->
    Main ! {late, Late, Skipped};
tick(Left, UntilMs, DueMs, Late, Skipped, Main) ->
    erlang:start_timer(DueMs, self(), tick, [{abs, true}]),
    receive {timeout, _, tick} -> ok end,
    LateUs = now_us() - DueMs * 1000,
    Missed = max(0, LateUs) div 5000,
    tick(Left - 1, UntilMs, DueMs + 5 * (Missed + 1), [LateUs | Late], Skipped + Missed, Main).

storm(Loops, Handled) ->
    receive m -> ok end,
    counters:add(Handled, 1, 1),
    busy(Loops),
    self() ! m,
    storm(Loops, Handled).

%% Work is counted in loops and not by the clock: a process may be preempted in it, and the clock goes on.
busy(0) -> ok;
busy(Left) -> busy(Left - 1).

loops_of(0) -> 0;
loops_of(BusyUs) ->
    Start = now_us(),
    busy(20000000),
    20000000 * BusyUs div max(1, now_us() - Start).
