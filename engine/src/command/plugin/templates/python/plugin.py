"""A plugin for Cartwright: `describe` says what it offers, `handle` executes one call.

The host functions it may import are described in wit/plugin.wit; there are no files, sockets or environment.
"""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import log, state, types

MANIFEST = {
    "name": "{{name}}",
    "version": "0.1.0",
    "description": "Counts loyalty points of customers",
    "functions": {
        "award": {
            "description": "Gives one point for each whole unit of an order's total",
            "input": {
                "type": "object",
                "required": ["customer", "total"],
                "additionalProperties": False,
                "properties": {
                    "customer": {"type": "string", "minLength": 1, "maxLength": 100},
                    "total": {"type": "string", "pattern": "^[0-9]{1,9}(\\.[0-9]{1,4})?$"},
                },
            },
            "output": {
                "type": "object",
                "required": ["points", "balance"],
                "properties": {"points": {"type": "integer"}, "balance": {"type": "integer"}},
            },
        },
    },
    # What a workflow has to grant: {"http": ["api.example.com"], "woo": ["orders.read"], …}; state and log need nothing.
    "needs": {},
}


class WitWorld(wit_world.WitWorld):
    def describe(self) -> str:
        return json.dumps(MANIFEST)

    def handle(self, call: types.Call) -> str:
        if call.function != "award":
            raise Err(types.Failure_Invalid(f"there is no function {call.function}"))
        return json.dumps(award(**json.loads(call.input)))


def award(customer: str, total: str) -> dict:
    """The input fits the schema: the engine has looked."""
    points = int(total.split(".")[0])
    balance = state.increment(f"points:{customer}", points)
    log.emit(log.Level.INFO, f"{points} points, {balance} in all")
    return {"points": points, "balance": balance}
