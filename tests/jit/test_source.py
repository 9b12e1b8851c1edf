from __future__ import annotations

import ast
import doctest
import functools
import itertools
import linecache
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any, Optional

import pytest

from iris.jit import source as source_module
from iris.jit.refusal import Unsupported
from iris.jit.source import FILES_MAX, Source, compile_function, locate, mangled

_numbers = itertools.count()


def module(text: str, filename: str = "") -> dict[str, Any]:
    """The names that a file of this text would have; `linecache` knows the text."""
    filename = filename or f"<located {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    made: dict[str, Any] = {"__name__": "located"}
    exec(compile(text, filename, "exec", dont_inherit=True), made)
    return made


def refused(fn: types.FunctionType) -> str:
    with pytest.raises(Unsupported) as caught:
        locate(fn)
    return str(caught.value)


def body_of(source: Source) -> str:
    return ast.dump(ast.Module(source.node.body, []))


def body_from(text: str) -> str:
    """The same of the one function in a text."""
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    return ast.dump(ast.Module(node.body, []))


# Each text defines `f`, and the lines are the first of the code and that of the `return`.
LOCATED: dict[str, tuple[str, int, int]] = {
    "a plain function": ("\ndef f(x):\n    return x\n", 2, 3),
    "one with a docstring of several lines": (
        'def f(x):\n    """Doc.\n\n        Indented.\n    """\n    return x\n',
        1,
        6,
    ),
    "one decorator": ("def d(g): return g\n@d\ndef f(x):\n    return x\n", 2, 4),
    "stacked decorators with calls over several lines": (
        (
            "def d(*a, **k): return lambda g: g\n"
            "@d(1,\n   2,\n)\n"
            "@d(k=lambda x: x)\n"
            "# between\n"
            "@d()\n"
            "def f(\n    x,\n):\n    return x\n"
        ),
        2,
        11,
    ),
    "all kinds of parameters": (
        "def f(a, b=1, /, c: int = 2, *d, e=3, g: 'str', **h) -> float:\n    return a + e\n",
        1,
        2,
    ),
    "constants that are equal and not the same": (
        "def f(x):\n    return (0, 0.0, -0.0, 1, True, 1.0, 'a', b'a', None, ..., 1j, 1e999)\n",
        1,
        2,
    ),
    "a set of constants": ("def f(x):\n    return x in {3, 1, 2, 'a', 'b'}\n", 1, 2),
    "functions, lambdas and comprehensions inside": (
        (
            "def f(x):\n"
            "    def g(y=1): return x + y\n"
            "    h = lambda z: g(z) + x\n"
            "    return sum(h(k) for k in [j for j in range(x)]), {k: x for k in ()}\n"
        ),
        1,
        4,
    ),
    "statements of every kind": (
        (
            "def f(x):\n"
            "    try:\n"
            "        while x:\n"
            "            x -= 1\n"
            "            if x == 3: continue\n"
            "            with open(x) as q: pass\n"
            "    except (ValueError, OSError) as error:\n"
            "        raise RuntimeError from error\n"
            "    else:\n"
            "        assert x, 'message'\n"
            "    finally:\n"
            "        del x\n"
            "    if __debug__: global w; w = 1\n"
            "    return [*range(3)]\n"
        ),
        1,
        14,
    ),
    "inside an if": ("if True:\n    def f(x):\n        return x\n", 2, 3),
    "a closure": (
        (
            "def outer(a, b):\n"
            "    c = a + b\n"
            "    def f(x):\n"
            "        return x + c + (lambda: b)()\n"
            "    return f\n"
            "f = outer(1, 2)\n"
        ),
        3,
        4,
    ),
    "a closure that writes": (
        (
            "def outer():\n"
            "    n = 0\n"
            "    def f(x):\n"
            "        nonlocal n\n"
            "        n += x\n"
            "        return n\n"
            "    return f\n"
            "f = outer()\n"
        ),
        3,
        6,
    ),
    "a recursive closure": (
        (
            "def outer():\n"
            "    def f(x):\n"
            "        return f(x - 1) if x else 0\n"
            "    return f\n"
            "f = outer()\n"
        ),
        2,
        3,
    ),
    "a method": ("class C:\n    def f(self):\n        return self\nf = C.f\n", 2, 3),
    "a method with private names and super()": (
        (
            "class _C:\n"
            "    @staticmethod\n"
            "    def other(): pass\n"
            "    def f(self, __x):\n"
            "        super().__init__()\n"
            "        return self.__x + __x + __global + (lambda: __class__.__name__)()\n"
            "f = _C.f\n"
        ),
        4,
        6,
    ),
    "a private method with a comprehension": (
        "class C:\n    def __f(self, n):\n        return [self.__g(k) for k in n]\nf = C._C__f\n",
        2,
        3,
    ),
    "a method of a class of underscores": (
        "class __:\n    def f(self):\n        return self.__x\nf = __.f\n",
        2,
        3,
    ),
    "a function in a method, with the private names of the class": (
        (
            "class C:\n"
            "    def outer(self, __y):\n"
            "        def f(x):\n"
            "            return x.__x + __y\n"
            "        return f\n"
            "f = C().outer(1)\n"
        ),
        3,
        4,
    ),
    "a method of a class in a class in a function": (
        (
            "def outer(q):\n"
            "    class A:\n"
            "        class B:\n"
            "            def f(self):\n"
            "                return self.__x + q\n"
            "    return A.B.f\n"
            "f = outer(1)\n"
        ),
        4,
        5,
    ),
    "a lambda": ("f = (\n    lambda x, y=1: x + y)\n", 2, 2),
    "a lambda with a closure, in a call over several lines": (
        (
            "def outer(a):\n"
            "    return max(\n"
            "        [1],\n"
            "        key=lambda x:\n"
            "            a + x,\n"
            "    ), (lambda:\n"
            "        a)\n"
            "f = outer(1)[1]\n"
        ),
        6,
        7,
    ),
    "a lambda in a class": ("class C:\n    g = lambda self: self.__x\nf = C.g\n", 2, 2),
    "a lambda in a comprehension": ("f = [lambda: k for k in (1, 2)][0]\n", 1, 1),
    "a default that is a lambda": ("def g(key=lambda x: -x): return key\nf = g()\n", 1, 1),
    "one of several functions of the same name": (
        "def f(x):\n    return 1\nfirst = f\ndef f(x):\n    return 2\nf = first\n",
        1,
        2,
    ),
    "names outside of ASCII": ("def f(größe):\n    return größe * 2\n", 1, 2),
}
FUTURE = "from __future__ import annotations\n"


@pytest.mark.parametrize("name", LOCATED)
@pytest.mark.parametrize("future", [False, True], ids=["", "future"])
def test_the_tree_of_a_function_is_found(name: str, future: bool) -> None:
    text, first, returns = LOCATED[name]
    made = module(FUTURE + text if future else text)
    fn = made["f"]
    source = locate(fn)
    assert isinstance(source.node, ast.FunctionDef)
    assert source.node.name == fn.__code__.co_name
    assert source.filename == fn.__code__.co_filename
    assert source.first_line == fn.__code__.co_firstlineno == first + future
    last = source.node.body[-1]
    assert isinstance(last, ast.Return)
    assert last.lineno == returns + future
    count = fn.__code__.co_argcount + fn.__code__.co_kwonlyargcount
    args = source.node.args
    assert len(args.posonlyargs + args.args + args.kwonlyargs) == count


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with 3.12")
def test_a_generic_function_is_found() -> None:
    made = module("def f[T](x: T) -> T:\n    return x\ndef g[T](x):\n    return T, x\n")
    assert [locate(made[name]).node.body[0].lineno for name in ("f", "g")] == [2, 4]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="match came with 3.10")
def test_a_match_statement_is_found() -> None:
    made = module(
        "def f(x):\n"
        "    match x:\n"
        "        case [1, *rest] | {'rest': rest}:\n"
        "            return rest\n"
    )
    assert isinstance(locate(made["f"]).node.body[0], ast.Match)


def test_functions_of_this_file_are_found_under_real_decorators() -> None:
    def plain(x: float, *, k: int = 2) -> float:
        """A docstring."""
        return x * k

    @functools.cache
    def cached(x: float) -> float:
        return x + FILES_MAX

    source = locate(plain)
    assert source.filename == __file__
    assert source.flags  # of the annotations import above
    inner = cached.__wrapped__
    assert isinstance(inner, types.FunctionType)
    assert isinstance(locate(inner).node.body[0], ast.Return)


# Lambdas on one line.


def test_of_several_lambdas_on_a_line_the_right_one_is_found() -> None:
    made = module("pair = lambda x: x + 1, lambda x: x + 2, lambda x, y: x\n")
    assert [body_of(locate(fn)) for fn in made["pair"]] == [
        body_from(f"def f(): return {text}") for text in ("x + 1", "x + 2", "x")
    ]


def test_a_lambda_inside_a_lambda_on_one_line() -> None:
    made = module("f = lambda x: lambda y: x + y\ng = f(1)\n")
    assert body_of(locate(made["f"])) == body_from("def f(): return lambda y: x + y")
    assert body_of(locate(made["g"])) == body_from("def f(): return x + y")


def test_lambdas_that_cannot_be_told_apart_are_refused() -> None:
    made = module("pair = (lambda x: x + 1), (lambda x: x + 1)\n")
    assert "2 on this line have the same code" in refused(made["pair"][0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0", "0.0"),
        ("0.0", "-0.0"),
        ("1", "True"),
        ("(1, 2)", "(1, 2.0)"),
        ("x in {1}", "x in {1.0}"),
        ("x.real", "x.imag"),
        ("'a'", "b'a'"),
        ("(lambda: 1)", "(lambda: 2)"),
        ("[k for k in x]", "[k + 1 for k in x]"),
    ],
)
def test_what_differs_in_a_constant_or_a_name_only_is_told_apart(one: str, other: str) -> None:
    made = module(f"pair = (lambda x: {one}), (lambda x: {other})\n")
    for fn, text in zip(made["pair"], (one, other)):
        assert body_of(locate(fn)) == body_from(f"def f(): return {text}")


# What is refused.


def test_a_function_without_any_text_is_refused() -> None:
    for filename in ("<stdin>", "<string>", "<nowhere at all>"):
        made: dict[str, Any] = {}
        exec(compile("def f(x): return x", filename, "exec", dont_inherit=True), made)
        assert f"no source: {filename}: its text is kept nowhere" in refused(made["f"])


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    fn = from_file(tmp_path / "gone.py", "def f(x): return x\n")
    assert locate(fn).node.name == "f"
    (tmp_path / "gone.py").unlink()
    assert "the file cannot be read" in refused(fn)


def from_file(path: Path, text: str) -> types.FunctionType:
    path.write_text(text, encoding="utf-8")
    made: dict[str, Any] = {"__name__": "from_file"}
    exec(compile(text, str(path), "exec", dont_inherit=True), made)
    fn = made["f"]
    assert isinstance(fn, types.FunctionType)
    return fn


@pytest.mark.parametrize(
    "changed",
    [
        "def f(x): return x + 2\n",
        "def g(x): return x + 1\n",
        "\ndef f(x): return x + 1\n",
        "def f(y): return y + 1\n",
        "def f(x): return z + 1\n",
        "f = lambda x: x + 1\n",
        "def f(x) return\n",
        "async def f(x): return x + 1\n",
        "def f(*x): return x + 1\n",
    ],
)
def test_a_file_that_was_changed_is_refused_and_found_again(tmp_path: Path, changed: str) -> None:
    path = tmp_path / "changing.py"
    text = "def f(x): return x + 1\n"
    fn = from_file(path, text)
    assert locate(fn).first_line == 1
    path.write_text(changed + "# more\n", encoding="utf-8")
    os.utime(path, (1, 1))
    assert "source does not match" in refused(fn)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (2, 2))
    assert body_of(locate(fn)) == body_from(text)


def test_a_file_with_a_byte_order_mark_and_other_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "ends.py"
    fn = from_file(path, "x = 1\ndef f(x):\n    return 'ä'\n")
    path.write_bytes(b"\xef\xbb\xbfx = 1\r\ndef f(x):\r\n    return '\xc3\xa4'")
    assert locate(fn).node.lineno == 2


def test_a_function_whose_code_was_replaced_is_refused() -> None:
    made = module("def f(x):\n    return x + 1\ndef g(x):\n    return x + 2\n")
    fn = made["f"]
    fn.__code__ = fn.__code__.replace(co_code=made["g"].__code__.co_code, co_consts=(None, 5))
    assert "source does not match" in refused(fn)
    fn.__code__ = made["g"].__code__
    assert body_of(locate(fn)) == body_of(locate(made["g"]))


def test_a_mangled_name_outside_of_its_class_is_another_name() -> None:
    made = module("class C:\n    def f(self): return self.__x\nf = C.f\n")
    filename = made["f"].__code__.co_filename
    text = "if 1:\n    def f(self): return self.__x\n"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    assert "source does not match" in refused(made["f"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def f(): yield 1", "generator function"),
        ("async def f(): pass", "coroutine function"),
        ("async def f(): yield 1", "asynchronous generator function"),
        ("f = lambda: (yield)", "generator function"),
        ("import types\n@types.coroutine\ndef f(): yield", "generator"),
    ],
)
def test_functions_that_run_in_pieces_are_refused(text: str, kind: str) -> None:
    reason = refused(module(text)["f"])
    assert kind in reason
    assert "only plain functions compile" in reason


def test_a_refusal_names_the_line_and_the_function() -> None:
    made: dict[str, Any] = {}
    exec(compile("\n\ndef f(x): return x", "<gone>", "exec"), made)
    with pytest.raises(Unsupported) as caught:
        locate(made["f"])
    assert (caught.value.refusal.line, caught.value.refusal.construct) == (3, "function f")


# Where text comes from.


def test_functions_of_doctests_are_found() -> None:
    found: list[Source] = []
    text = ">>> def f(x):\n...     return x + 1\n>>> check(f)\n"
    test = doctest.DocTestParser().get_doctest(
        text, {"check": lambda fn: found.append(locate(fn))}, "name", None, None
    )
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0
    assert [source.node.name for source in found] == ["f"]


def test_a_loader_is_asked_for_the_text(tmp_path: Path) -> None:
    text = "def f(x):\n    return x\n"

    class Loader:
        def get_source(self, name: str) -> str:
            return text

    filename = str(tmp_path / "archive.zip" / "inside.py")
    made: dict[str, Any] = {"__name__": "inside", "__loader__": Loader()}
    exec(compile(text, filename, "exec", dont_inherit=True), made)
    assert locate(made["f"]).node.body[0].lineno == 2


def test_the_cache_of_files_is_bounded_and_shared() -> None:
    text = "def f(x):\n    return x\ndef g(x):\n    return x + 1\n"
    for _ in range(FILES_MAX * 2):
        made = module(text)
        assert locate(made["f"]).node is locate(made["f"]).node
        assert locate(made["g"]).node.name == "g"
        assert len(source_module._files) <= FILES_MAX


# Compiling again.


def test_a_compiled_function_behaves_as_the_original() -> None:
    made = module(
        "def outer(a):\n"
        "    class C:\n"
        "        def f(self, x, k=1):\n"
        "            __y = x\n"
        "            return __y + a + k\n"
        "    return C.f\n"
        "f = outer(5)\n"
    )
    fn = made["f"]
    source = locate(fn)
    code = compile_function(
        source.node,
        source.filename,
        flags=source.flags,
        class_name=source.class_name,
        free=fn.__code__.co_freevars,
        qualname="renamed",
    )
    assert code.co_filename == fn.__code__.co_filename
    copy = types.FunctionType(code, fn.__globals__, "f", fn.__defaults__, fn.__closure__)
    assert copy(None, 1) == fn(None, 1) == 7
    assert code.co_varnames == fn.__code__.co_varnames
    assert code.co_firstlineno == fn.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("name", "owner", "result"),
    [
        ("__x", "C", "_C__x"),
        ("__x", "__C", "_C__x"),
        ("__x_", "C", "_C__x_"),
        ("__x__", "C", "__x__"),
        ("_x", "C", "_x"),
        ("__x", "__", "__x"),
        ("__x", None, "__x"),
    ],
)
def test_names_are_mangled_as_python_does(name: str, owner: Optional[str], result: str) -> None:
    assert mangled(name, owner) == result
    if owner is not None:
        made: dict[str, Any] = {}
        exec(f"class {owner}:\n    def f(self): return self.{name}\nf = {owner}.f", made)
        assert made["f"].__code__.co_names == (result,)


OPTIMISED = """
from iris.jit.source import locate
def f(x):
    '''Documented.'''
    assert x, 'message'
    if __debug__:
        x += 1
    return x
class C:
    '''Documented.'''
    def m(self):
        '''Only a docstring.'''
for fn in (f, C.m):
    if locate(fn).node.name != fn.__name__: raise SystemExit(1)
"""


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_optimised_code_is_found_too(tmp_path: Path, option: str) -> None:
    path = tmp_path / "optimised.py"
    path.write_text(OPTIMISED, encoding="utf-8")
    root = str(Path(source_module.__file__).parents[2])
    subprocess.run(
        [sys.executable, option, str(path)],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": root},
    )


@pytest.mark.parametrize("action", ["default", "error"])
def test_warnings_of_the_compiler_are_not_given_twice(action: str) -> None:
    text = "def f(x):\n    return x is 1, '\\d'\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fn = module(text)["f"]
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        assert locate(fn).node.name == "f"
        filters = list(warnings.filters)
        assert locate(fn).node.name == "f"
        assert list(warnings.filters) == filters
    assert given == []


@pytest.mark.parametrize("terms", [100, 2500])
def test_a_very_deep_expression_is_found_or_refused(terms: int) -> None:
    try:
        fn = module(f"def f(x):\n    return {' + '.join(['x'] * terms)}\n")["f"]
    except (RecursionError, MemoryError):
        assert terms > 100  # this interpreter cannot even compile it
        return
    try:
        found = locate(fn).node.name
    except Unsupported as refusal:
        found = refusal.refusal.reason
    assert found == "f" or (terms > 100 and "source does not match" in found)
