"""The seed's forms written out by hand as plain Python: what a function that uses them means.

Independent of `iris.jit.desugar` on purpose; the two are held against each other. A form becomes a
function of its own in front of the body, so that what it breaks out of is plain to see:

    return sum(break_if(x < 0, x * 2) for x in a)      def form1():
                                                           for x in a:
                                                               if x < 0:
                                                                   return
                                                               yield x * 2
                                                       return sum(form1())
"""

from __future__ import annotations

import ast
import textwrap

REDUCTIONS = ("sum", "any", "all", "min", "max")
WHILES = ("sum_while", "any_while", "all_while")
HOWS = ("if", "when", "unless", "on_nan")
FORMS = {"if_else", *WHILES, *(f"{word}_{how}" for word in ("break", "continue") for how in HOWS)}
LOOP_LIMIT = 1_000_000


class LoopLimit(RuntimeError):
    """Stands for the error of Iris of the same name."""


def written_out(source: str) -> str:
    """The module with every form replaced."""
    module = ast.parse(source)
    if _defined(module) & FORMS:
        return source  # a name of the user's own; the cases that have one use no form beside it
    for function in [one for one in ast.walk(module) if isinstance(one, ast.FunctionDef)]:
        writer = _Writer()
        function.body = [writer.visit(one) for one in function.body]
        function.body[:0] = writer.made
    return ast.unparse(ast.fix_missing_locations(module)) + "\n"


def _defined(module: ast.Module) -> set[str]:
    """Every name that anything binds."""
    names = {one.id for one in ast.walk(module) if isinstance(one, ast.Name) and _stored(one)}
    names |= {one.name for one in ast.walk(module) if isinstance(one, ast.FunctionDef)}
    return names | {one.arg for one in ast.walk(module) if isinstance(one, ast.arg)}


def _stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


class _Writer(ast.NodeTransformer):
    """Replaces the forms of one function."""

    def __init__(self) -> None:
        self.made: list[ast.stmt] = []
        # Variables of the generator expressions around, which a function in front cannot see.
        self.inner: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        kept = list(self.inner)
        for clause in node.generators:
            # A variable is seen from its own clause on.
            clause.iter = self.visit(clause.iter)
            self.inner.append(ast.unparse(clause.target))
            clause.ifs = [self.visit(one) for one in clause.ifs]
        node.elt = self.visit(node.elt)
        self.inner = kept
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        word = node.func.id if isinstance(node.func, ast.Name) else ""
        if word == "if_else":
            self.generic_visit(node)
            test, yes, no = node.args
            return ast.IfExp(test=test, body=yes, orelse=no)
        if word in WHILES:
            return self._while(word, node)
        if word in REDUCTIONS and len(node.args) == 1:
            generator = node.args[0]
            if isinstance(generator, ast.GeneratorExp) and _breaking(generator.elt):
                return self._reduction(node, generator)
        self.generic_visit(node)
        return node

    def _while(self, word: str, node: ast.Call) -> ast.AST:
        variable, *parts = node.args
        assert isinstance(variable, ast.Name)
        start = ast.unparse(self.visit(parts[0]))
        self.inner.append(variable.id)
        test, step, item = (ast.unparse(self.visit(one)) for one in parts[1:])
        self.inner.pop()
        begin, do, end = {
            "sum_while": ("total = 0", f"total += {item}", "return total"),
            "any_while": ("", f"if {item}:\n return True", "return False"),
            "all_while": ("", f"if not ({item}):\n return False", "return True"),
        }[word]
        lines = [
            *([begin] if begin else []),
            f"{variable.id} = {start}",
            "rounds = 0",
            f"while {test}:",
            " rounds += 1",
            f" if rounds > {LOOP_LIMIT}:",
            "  raise LoopLimit",
            textwrap.indent(do, " "),
            f" {variable.id} = {step}",
            end,
        ]
        return self._call_of(lines)

    def _reduction(self, node: ast.Call, generator: ast.GeneratorExp) -> ast.AST:
        lines: list[str] = []
        depth, names = 0, []
        for clause in generator.generators:
            words = ast.unparse(self.visit(clause.iter))
            target = ast.unparse(clause.target)
            names.append(target)
            self.inner.append(target)
            lines.append(" " * depth + f"for {target} in {words}:")
            depth += 1
            for test in clause.ifs:
                lines.append(" " * depth + f"if {ast.unparse(self.visit(test))}:")
                depth += 1
        value = self._item(generator.elt, lines, " " * depth)
        lines.append(" " * depth + f"yield {value}")
        del self.inner[len(self.inner) - len(names) :]
        node.args = [self._call_of(lines)]
        return node

    def _item(self, item: ast.expr, lines: list[str], indent: str) -> str:
        """The text of what is given, behind the lines that may leave before it is."""
        if not _breaking(item):
            return ast.unparse(self.visit(item))
        assert isinstance(item, ast.Call)
        assert isinstance(item.func, ast.Name)
        word, _, how = item.func.id.partition("_")
        leave = f"{indent} " + ("return" if word == "break" else "continue")
        if how == "on_nan":
            # Computed once, tested, given.
            value = self._item(item.args[0], lines, indent)
            name = f"item{len(lines)}"
            lines += [f"{indent}{name} = {value}", f"{indent}if {name} != {name}:", leave]
            return name
        test = ast.unparse(self.visit(item.args[0]))
        lines += [f"{indent}if {'not ' if how == 'unless' else ''}({test}):", leave]
        return self._item(item.args[1], lines, indent)

    def _call_of(self, lines: list[str]) -> ast.Call:
        """Put these lines into a function in front and call it."""
        name = f"form{len(self.made) + 1}"
        params = ", ".join(dict.fromkeys(self.inner))
        text = f"def {name}({params}):\n" + textwrap.indent("\n".join(lines), " ")
        self.made += ast.parse(text).body
        call = ast.parse(f"{name}({params})").body[0]
        assert isinstance(call, ast.Expr)
        assert isinstance(call.value, ast.Call)
        return call.value


def _breaking(node: ast.AST) -> bool:
    """Whether this is a break or continue form."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FORMS
        and node.func.id.startswith(("break_", "continue_"))
    )
