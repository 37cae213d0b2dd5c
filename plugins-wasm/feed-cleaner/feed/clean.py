"""One item of one product, with its issues; products with an error become no item."""

from urllib.parse import urlsplit

from . import gtin, price, text
from .channel import REQUIRED

MAX_IMAGES = 10


class Report:
    """What is wrong with one product."""

    def __init__(self, product):
        self.product = product
        self.issues = []

    def error(self, attribute, problem):
        self._add(attribute, "error", problem)

    def warning(self, attribute, problem):
        self._add(attribute, "warning", problem)

    def failed(self):
        return any(issue["severity"] == "error" for issue in self.issues)

    def _add(self, attribute, severity, problem):
        issue = {"product": self.product, "attribute": attribute, "severity": severity, "problem": problem}
        self.issues.append(issue)


def clean(products, channel, currency, id_from="id", brand=""):
    """Items for a channel, all issues, and how many products were refused."""
    items, issues, seen, refused = [], [], set(), 0
    for product in products:
        report = Report(product.get("id"))
        item = item_of(product, channel, currency, id_from, brand, report)
        if item.get("id") in seen:
            report.error("id", f"{item['id']} is the id of an earlier product too")
        if report.failed():
            refused += 1
        else:
            seen.add(item["id"])
            items.append(item)
        issues.extend(report.issues)
    return {"items": items, "issues": issues, "refused": refused}


def item_of(product, channel, currency, id_from, brand, report):
    if product.get("type") in ("variable", "grouped"):
        report.error("id", f"a {product['type']} product is not sold itself; give its variations or members instead")
    if product.get("status", "publish") != "publish":
        report.error("link", f"its status is {product['status']}: nobody can open it")
    item = {}
    put(item, channel, report, "id", str(product.get(id_from) or ""))
    titles(item, product, channel, report)
    links(item, product, channel, report)
    stock(item, product, channel, report)
    prices(item, product, currency, report)
    identifiers(item, product, channel, brand, report)
    kinds = [text.plain(one.get("name", "")) for one in product.get("categories") or []]
    put(item, channel, report, "product_type", ", ".join(one for one in kinds if one))
    for attribute in REQUIRED:
        if attribute not in item and not any(issue["attribute"] == attribute for issue in report.issues):
            report.error(attribute, "is missing")
    return item


def put(item, channel, report, attribute, value):
    """Keeps a value that fits; identifiers that are too long are an error, for a cut one is another one."""
    max_chars = channel.max_chars[attribute]
    if not value:
        return
    if len(value) > max_chars and attribute in ("id", "link", "mpn"):
        report.error(attribute, f"has {len(value)} characters, {channel.name} takes {max_chars}")
        return
    if len(value) > max_chars:
        report.warning(attribute, f"was cut from {len(value)} characters to {max_chars}")
    item[attribute] = text.cut(value, max_chars)


def titles(item, product, channel, report):
    title = text.plain(product.get("name") or "")
    if text.shouts(title):
        report.warning("title", "is all capitals, which channels show lower or refuse")
    put(item, channel, report, "title", title)
    long, short = (text.plain(product.get(one) or "", lines=True) for one in ("description", "short_description"))
    put(item, channel, report, "description", long or short)
    if not long and short:
        report.warning("description", "is empty; the short description stands in for it")


def links(item, product, channel, report):
    pictures = [one.get("src") or "" for one in product.get("images") or []]
    for attribute, address in (("link", product.get("permalink") or ""), ("image_link", pictures[0] if pictures else "")):
        if address and not is_web_address(address):
            report.error(attribute, "is no http or https address")
        elif address and attribute == "link":
            put(item, channel, report, attribute, address)
        elif address:
            item[attribute] = address
    more = [one for one in pictures[1 : MAX_IMAGES + 1] if is_web_address(one)]
    if more:
        item["additional_image_link"] = more


def is_web_address(address):
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(one.isspace() for one in address)


def stock(item, product, channel, report):
    word = product.get("stock_status")
    if word in channel.availability:
        item["availability"] = channel.availability[word]
    elif word:
        report.error("availability", f"'{word}' is no stock status that {channel.name} has a word for")


def prices(item, product, currency, report):
    regular, sale = (price.read(product.get(one) or "") for one in ("regular_price", "sale_price"))
    if regular is None:
        regular = price.read(product.get("price") or "")
    if regular is None:
        return report.error("price", "is missing or no amount")
    if regular == 0:
        return report.error("price", "is zero")
    put_price(item, "price", regular, currency, report)
    if sale is not None and sale >= regular:
        report.warning("sale_price", "is not below the regular price and was left out")
    elif sale == 0:
        report.warning("sale_price", "is zero and was left out")
    elif sale is not None:
        put_price(item, "sale_price", sale, currency, report)


def put_price(item, attribute, amount, currency, report):
    item[attribute], rounded = price.write(amount, currency)
    if rounded:
        report.warning(attribute, f"{amount} was rounded to {item[attribute]}")


def identifiers(item, product, channel, brand, report):
    """Brand, trade item number, manufacturer's number. A shop's own number is none of these: nothing is made up."""
    named = [text.plain(one.get("name") or "") for one in product.get("brands") or []]
    put(item, channel, report, "brand", next(iter(named), "") or own(product, "brand") or text.plain(brand))
    put(item, channel, report, "mpn", own(product, "mpn"))
    given = str(product.get("global_unique_id") or own(product, "gtin") or own(product, "ean") or "")
    if given:
        number, problem = gtin.read(given)
        if problem:
            report.warning("gtin", f"{number[:20]} {problem}; it was left out")
        else:
            item["gtin"] = number
    if "brand" not in item:
        report.warning("brand", "is missing")
    if "gtin" not in item and not ("brand" in item and "mpn" in item):
        if channel.name == "google":
            item["identifier_exists"] = "no"
        if not given:
            report.warning("gtin", "is missing, and so are brand and mpn together; channels show such items less")


def own(product, name):
    """What a product attribute or a custom field of that name says."""
    for attribute in product.get("attributes") or []:
        if str(attribute.get("name", "")).lower() == name:
            options = attribute.get("options") or [attribute.get("option") or ""]
            return text.plain(str(options[0]))
    for meta in product.get("meta_data") or []:
        if str(meta.get("key", "")).lstrip("_").lower() == name and isinstance(meta.get("value"), str):
            return text.plain(meta["value"])
    return ""
