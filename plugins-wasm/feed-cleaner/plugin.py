"""Product-feed cleaner: WooCommerce products in, items for Google Merchant Center or Meta catalogues out, with every
problem named that either of them would refuse or show badly. Rules and sources stand in README.md.
"""

import json

import wit_world
from componentize_py_types import Err
from feed.channel import CHANNELS
from feed.clean import clean
from wit_world.imports import log, types

MAX_PRODUCTS = 1000

MANIFEST = {
    "name": "feed-cleaner",
    "version": "0.1.0",
    "description": "Makes clean product-feed items of WooCommerce products and names what is wrong with each",
    "functions": {
        "clean": {
            "description": "Cleans a page of products for one channel",
            "input": {
                "type": "object",
                "required": ["channel", "currency", "products"],
                "additionalProperties": False,
                "properties": {
                    "channel": {"enum": sorted(CHANNELS)},
                    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                    "products": {"type": "array", "maxItems": MAX_PRODUCTS, "items": {"type": "object"}},
                    "id_from": {"enum": ["id", "sku"], "default": "id"},
                    "brand": {"type": "string", "description": "For products that name none: your own brand"},
                },
            },
            "output": {
                "type": "object",
                "required": ["items", "issues", "refused"],
                "properties": {
                    "items": {"type": "array", "items": {"type": "object"}},
                    "issues": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["product", "attribute", "severity", "problem"],
                            "properties": {
                                "product": {"type": ["integer", "string", "null"]},
                                "attribute": {"type": "string"},
                                "severity": {"enum": ["error", "warning"]},
                                "problem": {"type": "string"},
                            },
                        },
                    },
                    "refused": {"type": "integer", "description": "Products with an error; they are not among the items"},
                },
            },
        },
    },
    "needs": {},
}


class WitWorld(wit_world.WitWorld):
    def describe(self) -> str:
        return json.dumps(MANIFEST)

    def handle(self, call: types.Call) -> str:
        if call.function != "clean":
            raise Err(types.Failure_Invalid(f"there is no function {call.function}"))
        given = json.loads(call.input)
        cleaned = clean(
            given["products"],
            CHANNELS[given["channel"]],
            given["currency"],
            id_from=given.get("id_from", "id"),
            brand=given.get("brand", ""),
        )
        log.emit(log.Level.INFO, f"{len(cleaned['items'])} items, {cleaned['refused']} refused")
        return json.dumps(cleaned, ensure_ascii=False)
