"""Trade item numbers: their lengths, their check digit, and prefixes that are nobody's (GS1 General Specifications)."""

LENGTHS = (8, 12, 13, 14)


def check_digit(body):
    """Of the digits before it: weights 3 and 1 from the right, up to the next ten."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-weighted % 10)


def read(text):
    """The number without spaces and dashes, and what is wrong with it, or None."""
    number = text.replace(" ", "").replace("-", "")
    if not (number.isascii() and number.isdigit()):
        return number, "has other characters than digits"
    if len(number) not in LENGTHS:
        return number, f"has {len(number)} digits; 8, 12, 13 and 14 are possible"
    wanted = check_digit(number[:-1])
    if number[-1] != wanted:
        return number, f"ends with {number[-1]}, its check digit would be {wanted}: a digit is mistyped"
    if not number.strip("0"):
        return number, "is all zeros"
    # As 13 digits; the first of 14 only says how many are packed together.
    prefix = number[1:] if len(number) == 14 else number.zfill(13)
    if len(number) != 8 and (prefix[0] == "2" or prefix[:2] in ("02", "04")):
        return number, "has a prefix that shops use inside their own walls"
    if len(number) != 8 and prefix[:2] in ("05", "98", "99"):
        return number, "has a prefix of coupons"
    return number, None
