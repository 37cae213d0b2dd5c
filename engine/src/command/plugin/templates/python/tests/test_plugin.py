import json
import unittest
from collections import Counter

from tests import host

import plugin


def call(given, name="award"):
    return json.loads(plugin.WitWorld().handle(host.Call(name, json.dumps(given))))


class PluginTest(unittest.TestCase):
    def setUp(self):
        host.fresh()

    def test_whole_units_become_points_that_add_up_for_each_customer(self):
        kept = Counter()

        def increment(key, by):
            kept[key] += by
            return kept[key]

        plugin.state.increment = increment
        self.assertEqual(call({"customer": "ada", "total": "49.90"}), {"points": 49, "balance": 49})
        self.assertEqual(call({"customer": "ada", "total": "10"}), {"points": 10, "balance": 59})
        self.assertEqual(call({"customer": "grace", "total": "0.99"}), {"points": 0, "balance": 0})

    def test_an_unknown_function_is_refused(self):
        with self.assertRaises(host.Err) as raised:
            call({}, "other")
        self.assertEqual(raised.exception.value.value, "there is no function other")

    def test_the_manifest_names_what_handle_knows(self):
        manifest = json.loads(plugin.WitWorld().describe())
        self.assertEqual(manifest["name"], "{{name}}")
        self.assertEqual(list(manifest["functions"]), ["award"])


if __name__ == "__main__":
    unittest.main()
