"""Amounts as feeds write them: `49.90 EUR`."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

#: Decimal places of currencies that do not have two (ISO 4217).
PLACES = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}
MAX_CHARS = 20


def read(text):
    """An amount of WooCommerce, or None for what is none."""
    text = str(text).strip()
    if not text or len(text) > MAX_CHARS or not text.isascii():
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def write(amount, currency):
    """As text, and whether something was rounded away."""
    step = Decimal(1).scaleb(-PLACES.get(currency, 2))
    rounded = amount.quantize(step, rounding=ROUND_HALF_UP)
    return f"{rounded} {currency}", rounded != amount
