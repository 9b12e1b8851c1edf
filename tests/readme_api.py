"""The table of the API in README.md, made from signatures and docstrings.

`python tests/readme_api.py --write` brings the README up to date, without `--write` it
prints the table; tests/test_readme.py compares. A new public call has to be put into a group
below, so that the table has an order a reader can use.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- api:begin -->", "<!-- api:end -->"

RUNTIME: dict[str, list[str]] = {
    "Messages": [
        "send",
        "send_named",
        "send_buffer",
        "get_messages",
        "mailbox_size",
        "set_overflow_policy",
    ],
    "Questions and answers": ["ask", "reply", "forward", "ask_async", "send_async"],
    "Spawning": [
        "spawn",
        "spawn_virtual",
        "spawn_py_handler_bounded",
        "spawn_with_mailbox",
        "set_pull_limits",
        "spawn_observed_handler",
        "spawn_with_path_observed",
        "spawn_child",
        "spawn_child_with_budget",
        "spawn_child_handler_with_budget",
        "spawn_child_with_mailbox",
        "spawn_child_pool",
    ],
    "Life and death": [
        "stop",
        "stop_after_drain",
        "join",
        "is_alive",
        "link",
        "unlink",
        "monitor",
        "demonitor",
    ],
    "Names and paths": [
        "register",
        "unregister",
        "whereis",
        "resolve",
        "register_path",
        "unregister_path",
        "whereis_path",
        "list_children",
        "list_children_direct",
    ],
    "Supervisors": [
        "supervise_with_factory",
        "unsupervise",
        "watch",
        "watch_path",
        "child_pids",
        "children_count",
        "create_path_supervisor",
        "remove_path_supervisor",
        "path_supervise_with_factory",
        "path_supervisor_watch",
        "path_supervisor_children",
        "observe_supervisor",
    ],
    "Hot swap": ["hot_swap", "hot_swap_path", "behavior_version", "rollback_behavior"],
    "Timers": ["send_after", "send_interval", "cancel_timer"],
    "Threads for blocking handlers": ["set_release_gil_limits", "set_release_gil_strict"],
    "Other nodes": [
        "listen",
        "listen_addresses",
        "resolve_remote",
        "resolve_remote_py",
        "send_remote",
        "monitor_remote",
        "watch_node",
        "is_node_up",
        "nodes",
        "register_type",
    ],
    "The runtime itself": [
        "self_pid",
        "stats",
        "health",
        "add_probe",
        "remove_probe",
        "dead_letters",
        "quiesce",
        "shutdown",
        "add_hook",
        "remove_hook",
    ],
}
"""The methods of `Runtime` in the order of the table."""

FUNCTIONS = (
    "current",
    "reply",
    "pause",
    "allocate_buffer",
    "spawn_child_pool",
    "serialize_args",
    "deserialize_args",
    "offload",
    "version",
)

CLASSES = (
    "Supervisor",
    "ChildSpec",
    "SupervisorSpec",
    "ChildInfo",
    "ChildReport",
    "PyMailbox",
    "PySystemMessage",
    "ExitReason",
    "DeadLetter",
    "LetterReason",
    "LongTurn",
    "Limits",
    "MeshLimits",
    "StaticPeers",
    "DnsPeers",
    "NodeInfo",
    "Pressure",
    "Health",
    "PyRuntime",
)


VALUES = (
    "ChildSpec",
    "SupervisorSpec",
    "ChildInfo",
    "ChildReport",
    "PySystemMessage",
    "DeadLetter",
    "LongTurn",
    "NodeInfo",
    "ExitReason",
    "LetterReason",
)


def table() -> str:
    """The whole section, as Markdown."""
    iris = importlib.import_module("iris")
    errors = importlib.import_module("iris.errors")
    testing = importlib.import_module("iris.testing")
    sim, net = testing.SimRuntime, testing.SimNetwork
    rt = iris.Runtime
    _check_complete(iris)
    parts = [_section("Making a runtime", [_row(rt, "iris.Runtime")])]
    for title, names in RUNTIME.items():
        parts.append(_section(title, [_row(getattr(rt, name), f"rt.{name}") for name in names]))
    parts.append(
        _section(
            "Functions of `iris`",
            [_row(getattr(iris, name), f"iris.{name}") for name in FUNCTIONS],
        )
    )
    parts.append(
        _section(
            "Functions of `iris.jit`, about what `iris.offload` has compiled",
            [
                _row(getattr(iris.jit, name), f"iris.jit.{name}")
                for name in iris.jit.__all__
                if inspect.isfunction(getattr(iris.jit, name))
            ],
        )
    )
    parts += [
        _section(
            "The mailbox of a pull actor, `iris.PyMailbox`", _members(iris.PyMailbox, "mailbox")
        ),
        _section(
            "A supervisor with specs, `iris.Supervisor`",
            [_row(iris.Supervisor, "iris.Supervisor"), *_members(iris.Supervisor, "supervisor")],
        ),
        _values(iris),
        _errors(errors),
        _section(
            "A simulated runtime, `iris.testing.SimRuntime`: all calls of `Runtime` but"
            " `ask_async`, `send_async` and `resolve_remote_py`, and these",
            [_row(sim, "SimRuntime"), *_members(sim, "rt", but=rt)],
        ),
        _section(
            "A simulated network, `iris.testing.SimNetwork`",
            [_row(net, "SimNetwork"), *_members(net, "network")],
        ),
        _section(
            "The lower-level names, `iris.PyRuntime` and `Runtime._inner`: other calls as above",
            _members(iris.PyRuntime, "inner"),
        ),
    ]
    return "\n\n".join(parts)


def first_sentence(thing: object) -> str:
    """The first sentence of a docstring, on one line."""
    text = inspect.getdoc(thing)
    if not text:
        raise LookupError(f"{thing!r} has no docstring")
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph)[0]


def updated(readme: str) -> str:
    """The README with the table of now."""
    before, _, rest = readme.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise LookupError(f"README.md has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _names(cls: type) -> list[str]:
    return [name for name in dir(cls) if not name.startswith("_")]


def _check_complete(iris: Any) -> None:
    listed = [name for names in RUNTIME.values() for name in names]
    listed += [*FUNCTIONS, *CLASSES, "Runtime", "__version__"]
    public = {*_names(iris.Runtime), *iris.__all__} - set(
        importlib.import_module("iris.errors").__all__
    )
    missing, gone = public - set(listed), set(listed) - public
    if missing or gone:
        raise LookupError(f"put {sorted(missing)} into a group here, remove {sorted(gone)}")


def _section(title: str, rows: list[str]) -> str:
    return "\n".join([f"**{title}**", "", "| call | gives | |", "|---|---|---|", *rows])


def _row(thing: Any, called: str) -> str:
    """One line: the call, what it gives, and the first sentence of its docstring."""
    is_property = isinstance(thing, property)
    signature = inspect.signature(thing.fget if is_property else thing)
    gives = "" if inspect.isclass(thing) else _words(signature.return_annotation)
    plain = signature.replace(
        parameters=[
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in signature.parameters.values()
            if parameter.name != "self"
        ],
        return_annotation=inspect.Signature.empty,
    )
    call = called if is_property else f"{called}{plain}"
    return f"| `{call}` | {gives} | {_cell(first_sentence(thing))} |"


def _words(annotation: object) -> str:
    """A return annotation as people say it."""
    text = str(annotation)
    if text in ("None", "Any"):
        return {"None": "", "Any": "anything"}[text]
    optional = re.fullmatch(r"Optional\[(.*)\]", text)
    return f"`{optional[1]}` or None" if optional else f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _members(cls: type, called: str, but: type = object) -> list[str]:
    """The calls that a class itself defines and `but` has not, in the order of its source."""
    return [
        _row(thing, f"{called}.{name}")
        for name, thing in vars(cls).items()
        if not name.startswith("_")
        and not hasattr(but, name)
        and (isinstance(thing, property) or inspect.isfunction(thing))
    ]


def _values(iris: Any) -> str:
    rows = []
    for name in VALUES:
        value = getattr(iris, name)
        words = value if issubclass(value, str) else inspect.signature(value).parameters
        held = ", ".join(f"`{word}`" for word in words)
        rows.append(f"| `iris.{name}` | {held} | {_cell(first_sentence(value))} |")
    # What calls give and nobody makes: without a name in `iris`.
    for module, name in (("iris.run.context", "Context"), ("iris.interop.buffers", "BufferOwner")):
        value = getattr(importlib.import_module(module), name)
        held = ", ".join(f"`{word}`" for word in _names(value))
        rows.append(f"| `{name}` | {held} | {_cell(first_sentence(value))} |")
    return "\n".join(["**Values**", "", "| name | holds | |", "|---|---|---|", *rows])


def _errors(errors: Any) -> str:
    rows = []
    for name in errors.__all__:
        error = getattr(errors, name)
        bases = ", ".join(f"`{base.__name__}`" for base in error.__bases__)
        rows.append(f"| `iris.{name}` | {bases} | {_cell(first_sentence(error))} |")
    return "\n".join(["**Errors**", "", "| name | is a | |", "|---|---|---|", *rows])


def main(arguments: list[str]) -> int:
    """Print the table, or write it into the README."""
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: python tests/readme_api.py [--write]\n")
        return 2
    if arguments:
        README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(table() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
