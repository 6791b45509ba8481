"""Count the calls of `context.run_migrations()` in the text of an env.py."""

import ast
from pathlib import Path

_CALL = "run_migrations"

_SEVERAL = 2

_LOOPS = (
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def calls_once(env_py: Path) -> bool:
    """Return whether one run of this env.py calls `run_migrations()` once.

    False also if the text does not tell: if another module makes the call, for example.
    """
    try:
        tree = ast.parse(env_py.read_bytes())
    except (OSError, SyntaxError, ValueError):  # it is there in compiled form alone
        return False
    return _Calls(tree).count(tree.body) == 1


class _Calls:
    """Counts the calls of one module, as far as several."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions = {
            it.name: it
            for it in ast.walk(tree)
            if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._counts: dict[str, int] = {}

    def count(self, nodes: list[ast.stmt]) -> int:
        """Return the number of calls in statements, one after the other."""
        return min(_SEVERAL, sum(map(self._count, nodes)))

    def _count(self, node: ast.AST) -> int:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return 0  # its body counts where its name stands
            case ast.Call(func=func, args=args, keywords=keywords):
                # SQLAlchemy's `run_sync` calls its argument once. Others may call theirs often.
                is_once = isinstance(func, ast.Attribute) and func.attr == "run_sync"
                called, passed = ([func, *args], []) if is_once else ([func], args)
                found = sum(map(self._count_call, called))
                return found + sum(map(self._count, [*passed, *keywords]))
            case ast.Name() | ast.Attribute() if named := self._count_named(node):
                return named * _SEVERAL
            case ast.If(test=test, body=body, orelse=orelse):
                return self._count(test) + max(self.count(body), self.count(orelse))
        found = sum(map(self._count, ast.iter_child_nodes(node)))
        return found * _SEVERAL if isinstance(node, _LOOPS) else found

    def _count_call(self, node: ast.AST) -> int:
        return self._count_named(node) or self._count(node)

    def _count_named(self, node: ast.AST) -> int:
        """Return the calls in what a name stands for; 0 for other names."""
        match node:
            case ast.Name(id=name) if name in self._functions:
                return self._count_function(name)
            case ast.Attribute(attr=name) | ast.Name(id=name) if name == _CALL:
                return 1
        return 0

    def _count_function(self, name: str) -> int:
        if name not in self._counts:
            self._counts[name] = _SEVERAL  # if it calls itself
            self._counts[name] = self.count(self._functions[name].body)
        return self._counts[name]
