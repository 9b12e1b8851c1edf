"""Rewrites the lazy forms of one tree in place; `desugar` says what becomes of them.

Functions, lambdas and comprehensions are frames: what a form inside needs as a `def` goes to the
top of the nearest of them that can hold a statement. A comprehension or lambda whose variables such
a `def` uses becomes a function first.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Optional

from iris.jit.controls import Ends, Placement
from iris.jit.forms import IF_ELSE, REDUCTIONS, WHILE_FORMS
from iris.jit.refusal import Unsupported
from iris.jit.scopes import (
    Comprehension,
    Function,
    bound_by_function,
    bound_by_targets,
    parameters,
)
from iris.jit.trees import at, call_of, copy_tree, function_of, load, names_in
from iris.jit.usage import Usage, misuse

# What they do depends on the function they are called from.
_BOUND_TO_FRAME = frozenset({"super", "locals", "vars", "dir", "eval", "exec"})


class Rewriter(ast.NodeTransformer):
    """Rewrites one function in place, from the inside out."""

    def __init__(self, is_form: Callable[[str], bool]) -> None:
        self._usage = Usage(is_form)
        self._placement = Placement(self._usage, self.visit)
        self._reductions = 0
        """How many reductions the visited place lies in; to word a refusal only."""

    @property
    def forms(self) -> frozenset[str]:
        """The names that have been taken for forms."""
        return frozenset(self._usage.forms)

    def rewrite_body(self, node: Function) -> None:
        frame = self._usage.push(bound_by_function(node))
        body: list[ast.stmt] = [self.visit(statement) for statement in node.body]
        self._usage.pop()
        documented = ast.get_docstring(node, clean=False) is not None
        body[documented:documented] = frame.defs
        node.body = body

    # Scopes.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """A lambda that needs a `def` inside calls one that holds it: `lambda x: form(x)`."""
        self._visit_defaults(node.args)
        names = parameters(node.args)
        frame = self._usage.push(names)
        body = self.visit(node.body)
        self._usage.pop()
        if frame.defs:
            _check_movable([node.body], "lambda")
            name = self._usage.fresh("form")
            made = function_of(f"def {name}({', '.join(names)}): return", node)
            made.body = [*frame.defs, ast.copy_location(ast.Return(body), body)]
            self._usage.frames[-1].defs.append(made)
            body = call_of(name, [load(one) for one in names], node.body)
        node.body = body
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and self._usage.is_unbound(one.id):
                raise misuse(one, one.id, "a form has no meaning inside a class")
        return node

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._comprehension(node, reduction=False)

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._comprehension(node, reduction=False)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._comprehension(node, reduction=False)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._comprehension(node, reduction=False)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """All but the annotation: those of locals are never evaluated."""
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    # Names and calls.

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and self._usage.is_unbound(node.id):
            raise misuse(node, node.id, "a form can only be called")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = self._usage.form_of(node)
        if name is None:
            called = node.func.id if isinstance(node.func, ast.Name) else None
            if called in REDUCTIONS and node.args and isinstance(node.args[0], ast.GeneratorExp):
                node.args[0] = self._comprehension(node.args[0], reduction=True)
                node.args[1:] = [self.visit(one) for one in node.args[1:]]
                node.keywords = [self.visit(one) for one in node.keywords]
                return node
            return self.generic_visit(node)
        if name == IF_ELSE:
            condition, yes, no = map(self.visit, self._usage.arguments(node, name, 3))
            return ast.copy_location(ast.IfExp(condition, yes, no), node)
        if name in WHILE_FORMS:
            return self._while_form(node, name)
        if self._reductions:
            raise misuse(
                node,
                name,
                "does not act from here on the reduction around: a lambda, another loop or a "
                "part that may never be evaluated lies between",
            )
        raise misuse(
            node,
            name,
            f"has no meaning outside of a generator expression given to {_listed(REDUCTIONS)}, "
            f"or of the last argument of {_listed(WHILE_FORMS)}",
        )

    def _while_form(self, node: ast.Call, form: str) -> ast.expr:
        variable, init, condition, step, body = self._usage.arguments(node, form, 5)
        if not isinstance(variable, ast.Name):
            raise misuse(node, form, "its first argument is the name of the loop's variable")
        _check_movable([condition, step, body], form)
        init = self.visit(init)
        frame = self._usage.push([variable.id])
        condition = self.visit(condition)
        step = self.visit(step)

        def following() -> list[ast.stmt]:
            target = ast.Name(variable.id, ast.Store())
            return [at(ast.Assign([target], copy_tree(step)), step)]

        def contribute(value: ast.expr) -> list[ast.stmt]:
            if form == "sum_while":
                total = ast.Name("__iris_s", ast.Store())
                return [at(ast.AugAssign(total, ast.Add(), value), value)]
            test = value if form == "any_while" else at(ast.UnaryOp(ast.Not(), value), value)
            return [at(ast.If(test, [ast.Return(ast.Constant(form == "any_while"))], []), value)]

        self._reductions += 1
        ends = Ends(lambda: [ast.Break()], lambda: [*following(), ast.Continue()])
        turn = [*self._placement.placed(body, contribute, ends), *following()]
        self._reductions -= 1
        self._usage.pop()
        name = self._usage.fresh("form")
        made = function_of(
            f"def {name}({variable.id}):\n"
            " __iris_n = 0\n"
            + (" __iris_s = 0\n" if form == "sum_while" else "")
            + " while 0:\n"
            "  __iris_n += 1\n"
            "  if __iris_n > __iris_loop_limit():\n"
            f"   raise __iris_LoopLimit({form!r}, __iris_n - 1)\n"
            f" return {WHILE_FORMS[form]}",
            node,
        )
        loop = made.body[-2]
        assert isinstance(loop, ast.While)
        loop.test = condition
        loop.body += turn
        made.body[0:0] = frame.defs
        self._usage.frames[-1].defs.append(made)
        return call_of(name, [init], node)

    def _comprehension(self, node: Comprehension, *, reduction: bool) -> ast.expr:
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        frame = self._usage.push(bound_by_targets(node))
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        parts += [one for clause in node.generators for one in clause.ifs]
        parts += [clause.iter for clause in node.generators[1:]]
        controlled = reduction and any(map(self._usage.has_control, parts))
        self._reductions += reduction
        for clause in node.generators:
            clause.target = self.visit(clause.target)
        if controlled:
            loops = self._loops(node, Ends(lambda: [ast.Return()], lambda: [ast.Continue()]))
        else:
            self._visit_parts(node)
        self._reductions -= reduction
        self._usage.pop()
        if not controlled:
            if not names_in(frame.defs) & frame.bound:
                self._usage.frames[-1].defs += frame.defs
                return node
            loops = self._loops(node, None)
        _check_movable(parts, "generator expression")
        if any(clause.is_async for clause in node.generators):
            raise Unsupported(node.lineno, "asynchronous comprehension", "holds a form")
        name = self._usage.fresh("form")
        made = function_of(f"def {name}(__iris_it): pass", node)
        made.body = [*frame.defs, *loops]
        self._usage.frames[-1].defs.append(made)
        return _collected(node, call_of(name, [first.iter], node))

    def _visit_parts(self, node: Comprehension) -> None:
        for clause in node.generators:
            clause.ifs = [self.visit(one) for one in clause.ifs]
        for clause in node.generators[1:]:
            clause.iter = self.visit(clause.iter)
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.visit(node.key), self.visit(node.value)
        else:
            node.elt = self.visit(node.elt)

    def _loops(self, node: Comprehension, ends: Optional[Ends]) -> list[ast.stmt]:
        """The statements that a comprehension stands for, around a `yield`."""
        if isinstance(node, ast.DictComp):
            value: ast.expr = at(ast.Tuple([node.key, node.value], ast.Load()), node.key)
        else:
            value = node.elt
        inner = self._placement.placed(
            value, lambda one: [at(ast.Expr(at(ast.Yield(one), one)), one)], ends
        )
        for index, clause in reversed(list(enumerate(node.generators))):
            for test in reversed(clause.ifs):
                before, settled = self._placement.settled(test, ends)
                inner = [*before, at(ast.If(settled, inner, []), test)]
            if index == 0:
                before, settled = [], load("__iris_it")
            else:
                before, settled = self._placement.settled(clause.iter, ends)
            inner = [*before, at(ast.For(clause.target, settled, inner, []), clause.target)]
        return inner

    # What is shared.

    def _visit_function(self, node: Function) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        self._visit_defaults(node.args)
        self.rewrite_body(node)
        return node

    def _visit_defaults(self, args: ast.arguments) -> None:
        args.defaults = [self.visit(one) for one in args.defaults]
        args.kw_defaults = [one and self.visit(one) for one in args.kw_defaults]


def _check_movable(parts: Iterable[ast.AST], what: str) -> None:
    """Refuses what would mean something else in a function of its own."""
    for part in parts:
        for one in ast.walk(part):
            if isinstance(one, (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)):
                met = "the := operator" if isinstance(one, ast.NamedExpr) else "yield or await"
            elif isinstance(one, ast.Name) and one.id in _BOUND_TO_FRAME:
                met = one.id
            else:
                continue
            raise Unsupported(one.lineno, what, f"a form and {met} do not go together")


def _collected(node: Comprehension, call: ast.expr) -> ast.expr:
    """What a comprehension becomes whose elements a generator gives; no name is needed for it."""
    made: ast.expr = call
    if isinstance(node, ast.ListComp):
        made = ast.List([ast.Starred(call, ast.Load())], ast.Load())
    elif isinstance(node, ast.SetComp):
        made = ast.Set([ast.Starred(call, ast.Load())])
    elif isinstance(node, ast.DictComp):
        names = ("__iris_k", "__iris_v")
        target = ast.Tuple([ast.Name(one, ast.Store()) for one in names], ast.Store())
        clause = ast.comprehension(target, call, [], 0)
        made = ast.DictComp(load(names[0]), load(names[1]), [clause])
    return at(made, node)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
