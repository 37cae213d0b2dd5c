"""What the two channels want, as their documentation says (see README.md)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Channel:
    name: str
    #: Characters an attribute may have.
    max_chars: dict
    #: WooCommerce's stock words in the channel's.
    availability: dict


CHANNELS = {
    "google": Channel(
        name="google",
        max_chars={"id": 50, "title": 150, "description": 5000, "brand": 70, "mpn": 70, "product_type": 750, "link": 2000},
        availability={"instock": "in_stock", "outofstock": "out_of_stock", "onbackorder": "backorder"},
    ),
    "meta": Channel(
        name="meta",
        max_chars={"id": 100, "title": 200, "description": 9999, "brand": 100, "mpn": 100, "product_type": 750, "link": 2000},
        availability={"instock": "in stock", "outofstock": "out of stock", "onbackorder": "available for order"},
    ),
}

#: An item without one of these is refused by both.
REQUIRED = ("id", "title", "description", "link", "image_link", "availability", "price")
