%% The mesh rows between two Erlang nodes of one scheduler each; erlang_mesh.py starts both.
%%
%% main([Workload, N, Repeats]) prints one JSON line {"repeats": [figures, ...]}. The counting processes are on the other
%% node; the clock stops when the last of them has told this one, which is one message more than elsewhere.
-module(iris_mesh_bench).
-export([main/1, counting/2, echo/0, sink/1]).

-define(FAR, 'far@127.0.0.2').

main([Workload, N, Repeats]) ->
    connect(500),
    Run = workload(list_to_atom(Workload)),
    Size = list_to_integer(N),
    Figures = [figures(Run(Size)) || _ <- lists:seq(1, list_to_integer(Repeats))],
    io:format("{\"repeats\": [~s]}~n", [lists:join(", ", Figures)]),
    rpc:cast(?FAR, erlang, halt, [0]),
    timer:sleep(200),
    halt(0).

%% The other node may still be starting.
connect(0) -> halt(1);
connect(Left) ->
    case net_kernel:connect_node(?FAR) of
        true -> ok;
        false -> timer:sleep(20), connect(Left - 1)
    end.

workload(oneway) -> fun(N) -> oneway(N, 1, 64) end;
workload(oneway_actor) -> fun(N) -> oneway(N, 1, 64) end;
workload(oneway_100) -> fun(N) -> oneway(N, 100, 64) end;
workload(oneway_actor_100) -> fun(N) -> oneway(N, 100, 64) end;
workload(oneway_1k) -> fun(N) -> oneway(N, 1, 1024) end;
workload(trip) -> fun trip/1;
workload(trip_flood) -> fun trip_flood/1.

figures(Pairs) ->
    Items = [io_lib:format("\"~s\": ~w", [Key, float(Value)]) || {Key, Value} <- Pairs],
    ["{", lists:join(", ", Items), "}"].

now_us() -> erlang:monotonic_time(microsecond).

%% --- on the other node -----------------------------------------------------------------------------------------

counting(0, Main) -> Main ! done;
counting(Left, Main) ->
    receive _ -> counting(Left - 1, Main) end.

echo() ->
    receive From -> From ! pong, echo() end.

sink(Handled) ->
    receive
        {so_far, From} -> From ! {so_far, Handled}, sink(Handled);
        _ -> sink(Handled + 1)
    end.

%% --- on this one -----------------------------------------------------------------------------------------------

oneway(N, Actors, Size) ->
    Payload = binary:copy(<<"m">>, Size),
    Pids = [spawn(?FAR, ?MODULE, counting, [N div Actors, self()]) || _ <- lists:seq(1, Actors)],
    timer:sleep(100),
    Start = now_us(),
    rounds(N div Actors, Pids, Payload),
    await_done(Actors),
    [{rate, N * 1.0e6 / max(1, now_us() - Start)}].

rounds(0, _Pids, _Payload) -> ok;
rounds(Left, Pids, Payload) ->
    lists:foreach(fun(Pid) -> Pid ! Payload end, Pids),
    rounds(Left - 1, Pids, Payload).

await_done(0) -> ok;
await_done(Left) ->
    receive done -> await_done(Left - 1) end.

trip(N) ->
    Echo = spawn(?FAR, ?MODULE, echo, []),
    Took = lists:sort(trips(N, Echo, [])),
    exit(Echo, kill),
    [{p50, percentile(Took, 0.50)}, {p99, percentile(Took, 0.99)}].

trip_flood(N) ->
    Sink = spawn(?FAR, ?MODULE, sink, [0]),
    Payload = binary:copy(<<"m">>, 64),
    Flood = spawn(fun() -> flood(Sink, Payload) end),
    timer:sleep(200),
    Before = so_far(Sink),
    Start = now_us(),
    Figures = trip(N),
    Rate = (so_far(Sink) - Before) * 1.0e6 / max(1, now_us() - Start),
    exit(Flood, kill),
    exit(Sink, kill),
    [{flood, Rate} | Figures].

flood(Sink, Payload) -> Sink ! Payload, flood(Sink, Payload).

so_far(Sink) ->
    Sink ! {so_far, self()},
    receive {so_far, Handled} -> Handled end.

trips(0, _Echo, Took) -> Took;
trips(Left, Echo, Took) ->
    Start = erlang:monotonic_time(nanosecond),
    Echo ! self(),
    receive pong -> ok end,
    trips(Left - 1, Echo, [erlang:monotonic_time(nanosecond) - Start | Took]).

percentile(Ordered, Share) ->
    Count = length(Ordered),
    lists:nth(min(Count, trunc(Count * Share) + 1), Ordered) / 1000.
