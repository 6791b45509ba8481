"""The former name of `alembic_boot`: a script that imports a module by it gets that module."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NEW = "alembic_boot"


class _Renamed(MetaPathFinder, Loader):
    """Finds `backend.boot.X` as `alembic_boot.X`, so that a class of it is the same class."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        return ModuleSpec(fullname, self) if fullname.startswith(f"{__name__}.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return import_module(_NEW + spec.name.removeprefix(__name__))

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module has been executed under its own name."""


sys.meta_path.insert(0, _Renamed())
