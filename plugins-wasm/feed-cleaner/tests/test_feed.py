import json
import unittest

from tests import host

import plugin
from feed import gtin, price, text

MUG = {
    "id": 7,
    "sku": "MUG-1",
    "type": "simple",
    "status": "publish",
    "name": "Mug &amp; <b>saucer</b>",
    "permalink": "https://shop.example/mug",
    "description": "<p>Holds 0.3&nbsp;l.</p><ul><li>white</li><li>blue</li></ul>[gallery ids=\"1,2\"]<script>x()</script>",
    "short_description": "",
    "regular_price": "12.5",
    "sale_price": "9.90",
    "stock_status": "instock",
    "images": [{"src": "https://shop.example/mug.jpg"}, {"src": "https://shop.example/mug-2.jpg"}],
    "categories": [{"name": "Kitchen &amp; Bar"}],
    "brands": [{"name": "Potter"}],
    "global_unique_id": "4006381333931",
}


def clean(*products, **given):
    given = {"channel": "google", "currency": "EUR", **given, "products": list(products)}
    return json.loads(plugin.WitWorld().handle(host.Call("clean", json.dumps(given))))


class Clean(unittest.TestCase):
    def setUp(self):
        host.fresh()

    def issues(self, product, **given):
        found = clean(product, **given)["issues"]
        return [(issue["attribute"], issue["severity"], issue["problem"]) for issue in found]

    def test_a_complete_product_becomes_an_item_without_issues(self):
        expected = {
            "id": "7",
            "title": "Mug & saucer",
            "description": "Holds 0.3 l.\nwhite\nblue",
            "link": "https://shop.example/mug",
            "image_link": "https://shop.example/mug.jpg",
            "additional_image_link": ["https://shop.example/mug-2.jpg"],
            "availability": "in_stock",
            "price": "12.50 EUR",
            "sale_price": "9.90 EUR",
            "brand": "Potter",
            "gtin": "4006381333931",
            "product_type": "Kitchen & Bar",
        }
        self.assertEqual(clean(MUG), {"items": [expected], "issues": [], "refused": 0})

    def test_channels_have_their_own_words(self):
        words = {
            (channel, status): clean({**MUG, "stock_status": status}, channel=channel)["items"][0]["availability"]
            for channel in ("google", "meta")
            for status in ("instock", "outofstock", "onbackorder")
        }
        self.assertEqual(words["google", "onbackorder"], "backorder")
        self.assertEqual(words["google", "outofstock"], "out_of_stock")
        self.assertEqual(words["meta", "instock"], "in stock")
        self.assertEqual(words["meta", "onbackorder"], "available for order")

    def test_what_is_required_and_missing_is_named_and_no_item_is_made(self):
        cleaned = clean({"id": 9})
        missing = {issue["attribute"] for issue in cleaned["issues"] if issue["severity"] == "error"}
        self.assertEqual(missing, {"title", "description", "link", "image_link", "availability", "price"})
        self.assertEqual((cleaned["items"], cleaned["refused"]), ([], 1))

    def test_products_that_are_not_sold_themselves_are_refused(self):
        self.assertIn(("id", "error", "a variable product is not sold itself; give its variations or members instead"),
                      self.issues({**MUG, "type": "variable"}))
        self.assertIn(("link", "error", "its status is draft: nobody can open it"), self.issues({**MUG, "status": "draft"}))

    def test_ids_are_unique(self):
        cleaned = clean(MUG, MUG, {**MUG, "id": 8})
        self.assertEqual([item["id"] for item in cleaned["items"]], ["7", "8"])
        self.assertEqual(cleaned["issues"][0]["problem"], "7 is the id of an earlier product too")

    def test_the_sku_can_be_the_id_and_has_to_fit(self):
        self.assertEqual(clean(MUG, id_from="sku")["items"][0]["id"], "MUG-1")
        self.assertEqual(self.issues({**MUG, "sku": "x" * 51}, id_from="sku"),
                         [("id", "error", "has 51 characters, google takes 50")])
        self.assertEqual(self.issues({**MUG, "sku": "x" * 51}, id_from="sku", channel="meta"), [])

    def test_long_titles_are_cut_between_words(self):
        cleaned = clean({**MUG, "name": "word " * 40})
        self.assertEqual(cleaned["items"][0]["title"], ("word " * 30).strip() + "…")
        self.assertLessEqual(len(cleaned["items"][0]["title"]), 150)
        self.assertEqual(cleaned["issues"][0]["problem"], "was cut from 199 characters to 150")

    def test_prices(self):
        self.assertEqual(self.issues({**MUG, "regular_price": "", "price": ""}), [("price", "error", "is missing or no amount")])
        self.assertEqual(self.issues({**MUG, "regular_price": "0"}), [("price", "error", "is zero")])
        self.assertEqual(self.issues({**MUG, "sale_price": "12.50"}),
                         [("sale_price", "warning", "is not below the regular price and was left out")])
        item = clean({**MUG, "regular_price": "1200", "sale_price": ""}, currency="JPY")["items"][0]
        self.assertEqual((item["price"], "sale_price" in item), ("1200 JPY", False))
        self.assertEqual(self.issues({**MUG, "regular_price": "12.345"}), [("price", "warning", "12.345 was rounded to 12.35 EUR")])

    def test_a_wrong_number_is_left_out_and_nothing_is_made_up(self):
        cleaned = clean({**MUG, "global_unique_id": "4006381333932"})
        item = cleaned["items"][0]
        self.assertNotIn("gtin", item)
        self.assertNotIn("mpn", item, "the shop's own number is no manufacturer's")
        self.assertEqual(item["identifier_exists"], "no")
        self.assertEqual([issue["problem"] for issue in cleaned["issues"]],
                         ["4006381333932 ends with 2, its check digit would be 1: a digit is mistyped; it was left out"])

    def test_identifiers_come_from_attributes_and_custom_fields_too(self):
        product = {**MUG, "brands": [], "global_unique_id": "", "attributes": [{"name": "Brand", "options": ["Kiln"]}],
                   "meta_data": [{"key": "_mpn", "value": "K-77"}, {"key": "_gtin", "value": ["odd"]}]}
        item = clean(product)["items"][0]
        self.assertEqual((item["brand"], item["mpn"]), ("Kiln", "K-77"))
        self.assertNotIn("identifier_exists", item)

    def test_addresses_that_are_none_are_refused(self):
        for address in ("javascript:alert(1)", "//shop.example/mug", "https://", "http://[::1", "https://a b.example"):
            self.assertEqual(self.issues({**MUG, "permalink": address}), [("link", "error", "is no http or https address")])


class Text(unittest.TestCase):
    def test_markup_goes_and_words_stay(self):
        for markup, expected in [
            ("a<br>b", "a b"),
            ("1 < 2 &amp;&amp; 3 > 2", "1 < 2 && 3 > 2"),
            ("<style>p{}</style>x<!-- no -->", "x"),
            ("[vc_row full=\"1\"]in[/vc_row] [sic]", "in [sic]"),
            ("zero\u200bwidth\ufeff", "zerowidth"),
            ("<p>unclosed <b>bold", "unclosed bold"),
            ("&nbsp; a \t\n b", "a b"),
        ]:
            self.assertEqual(text.plain(markup), expected)

    def test_cutting_keeps_the_limit(self):
        for length in range(2, 30):
            self.assertLessEqual(len(text.cut("some words of different lengths here", length)), length)
        self.assertEqual(text.cut("fits", 4), "fits")
        self.assertEqual(text.cut("x" * 9, 4), "xxx…")


class Numbers(unittest.TestCase):
    def test_check_digits_of_published_examples(self):
        # GS1's own examples and a well-known pen; Wikipedia's UPC and EAN-8.
        for number in ("6291041500213", "4006381333931", "036000291452", "73513537", "614141000036"):
            self.assertEqual(gtin.read(number), (number, None))
        self.assertEqual(gtin.read("400-638 1333931")[1], None)

    def test_every_single_mistyped_digit_is_found(self):
        for place in range(13):
            for digit in "0123456789":
                wrong = "4006381333931"[:place] + digit + "4006381333931"[place + 1 :]
                self.assertEqual(gtin.read(wrong)[1] is None, wrong == "4006381333931", wrong)

    def test_numbers_that_are_nobodys(self):
        self.assertEqual(gtin.read("2000000000008")[1], "has a prefix that shops use inside their own walls")
        self.assertEqual(gtin.read("0000000000000")[1], "is all zeros")
        self.assertEqual(gtin.read("12345")[1], "has 5 digits; 8, 12, 13 and 14 are possible")
        self.assertEqual(gtin.read("４006381333931")[1], "has other characters than digits")

    def test_amounts(self):
        for wrong in ("", "abc", "-1", "NaN", "inf", "1,50", "9" * 21, "١٢"):
            self.assertIsNone(price.read(wrong), wrong)
        self.assertEqual(price.write(price.read("3.5"), "KWD"), ("3.500 KWD", False))
        self.assertEqual(price.write(price.read("0.005"), "EUR"), ("0.01 EUR", True))


class Manifest(unittest.TestCase):
    def test_an_unknown_function_is_refused(self):
        with self.assertRaises(host.Err):
            plugin.WitWorld().handle(host.Call("other", "{}"))

    def test_the_manifest_is_json(self):
        self.assertEqual(list(json.loads(plugin.WitWorld().describe())["functions"]), ["clean"])


if __name__ == "__main__":
    unittest.main()
