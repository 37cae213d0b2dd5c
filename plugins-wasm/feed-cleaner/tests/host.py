"""Stands in for the engine while tests run: modules of the names that componentize-py generates, whose functions a test
replaces. Has to be imported before the plugin.
"""

import enum
import sys
from dataclasses import dataclass
from types import ModuleType
from unittest.mock import MagicMock

INTERFACES = ("log", "http", "woo", "state", "clock", "random", "events", "secrets")


class Err(Exception):
    """What a host call raises, and what a plugin raises to fail in a way that the engine understands."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


class Level(enum.Enum):
    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


@dataclass
class Call:
    function: str
    input: str
    workflow: str = "w"
    run: str = "r"
    step: str = "s"
    store: str | None = None


def failure(name):
    """One of the ways to fail, with the value it carries."""
    return type(f"Failure_{name}", (), {"__init__": lambda self, value=None: setattr(self, "value", value)})


def fresh():
    """Forgets what earlier tests gave: every host function is a mock again."""
    for name in INTERFACES:
        module = sys.modules[f"wit_world.imports.{name}"]
        for function in ("emit", "send", "get", "list", "write", "set", "compare_and_set", "increment", "delete",
                         "now", "sleep", "sleep_until", "bytes", "wait_for"):
            setattr(module, function, MagicMock(side_effect=AssertionError(f"the test gives no {name}.{function}")))
    sys.modules["wit_world.imports.log"].emit = MagicMock()


def _module(name, **members):
    module = ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    return module


_types = _module("wit_world.imports.types", Call=Call)
for _name in ("Denied", "Timeout", "RateLimited", "Rejected", "Invalid", "Unknown", "Other"):
    setattr(_types, f"Failure_{_name}", failure(_name))
_modules = {name: _module(f"wit_world.imports.{name}") for name in INTERFACES}
_modules["log"].Level = Level
_imports = _module("wit_world.imports", types=_types, **_modules)
_module("wit_world", imports=_imports, WitWorld=object)
_module("componentize_py_types", Err=Err)
fresh()
