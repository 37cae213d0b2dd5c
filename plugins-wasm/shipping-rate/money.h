// Amounts as whole numbers of the smallest unit: `5.49` with two decimals is 549. No fractions anywhere.
#ifndef MONEY_H
#define MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

// More than any shop's order, and far from what 64 bits hold.
#define MONEY_MAX 1000000000000000LL
#define MONEY_CHARS 24

// An amount as WooCommerce writes it; false for what is none and for more decimals than the currency has.
static inline bool money_read(const char *text, int decimals, int64_t *amount) {
  int64_t sum = 0;
  int fraction = -1;
  if (*text < '0' || *text > '9') return false;
  for (; *text; text++) {
    if (*text == '.' && fraction < 0 && text[1]) fraction = 0;
    else if (*text < '0' || *text > '9') return false;
    else if (fraction >= decimals && *text != '0') return false;
    else if (fraction < decimals) {
      sum = sum * 10 + (*text - '0');
      if (fraction >= 0) fraction++;
    }
    if (sum > MONEY_MAX) return false;
  }
  for (int digits = fraction < 0 ? 0 : fraction; digits < decimals; digits++) sum *= 10;
  *amount = sum;
  return sum <= MONEY_MAX;
}

static inline bool money_of(struct json value, int decimals, int64_t *amount) {
  char text[MONEY_CHARS];
  return json_text(value, text, sizeof text) && money_read(text, decimals, amount);
}

// Quoted, with all its decimals.
static inline void money_put(struct json_out *out, int64_t amount, int decimals) {
  int64_t unit = 1;
  for (int i = 0; i < decimals; i++) unit *= 10;
  json_put(out, "\"");
  json_put_integer(out, amount / unit);
  if (decimals > 0) json_put(out, ".");
  for (int64_t rest = amount % unit; unit > 1; rest %= unit) {
    unit /= 10;
    json_put_integer(out, rest / unit);
  }
  json_put(out, "\"");
}

#endif
