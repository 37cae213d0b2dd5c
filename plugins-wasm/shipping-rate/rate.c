// Reads parcels and services as they stand in the input, prices each service, keeps the best.
#include "rate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "money.h"

#define MAX_PARCELS 100
#define MAX_SERVICES 50
#define MAX_QUANTITY 1000
#define MAX_GRAMS 10000000
#define MAX_SIDE_MM 20000
#define MAX_DAYS 365
#define ID_BYTES 161
#define CODE_BYTES 48

struct parcel {
  int64_t grams, length, width, height, quantity;
};

// What the whole input says.
struct order {
  struct parcel parcels[MAX_PARCELS];
  int count, decimals;
  int64_t promise_days, subtotal;
  bool has_promise, has_subtotal, fastest;
  char country[CODE_BYTES], postcode[CODE_BYTES];
};

// What a service would do.
struct option {
  char service[ID_BYTES], zone[ID_BYTES];
  int64_t days, price, billed_grams;
};

static bool wrong(struct problem *problem, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(problem->text, sizeof problem->text, format, arguments);
  va_end(arguments);
  return false;
}

// A whole number between limits; what is absent stays as it is, unless it is needed.
static bool number(struct json object, const char *name, int64_t min, int64_t max, bool needed, int64_t *value, struct problem *problem) {
  struct json member;
  if (!json_member(object, name, &member)) return needed ? wrong(problem, "%s is missing", name) : true;
  if (!json_integer(member, value) || *value < min || *value > max)
    return wrong(problem, "%s has to be a whole number from %lld to %lld", name, (long long)min, (long long)max);
  return true;
}

static bool text(struct json object, const char *name, char *into, size_t room, bool needed, struct problem *problem) {
  struct json member;
  into[0] = '\0';
  if (!json_member(object, name, &member)) return needed ? wrong(problem, "%s is missing", name) : true;
  return json_text(member, into, room) || wrong(problem, "%s has to be a text of at most %zu bytes", name, room - 1);
}

// Capitals, without spaces and dashes.
static void squeeze(char *code) {
  char *to = code;
  for (; *code; code++) {
    if (*code == ' ' || *code == '-') continue;
    *to++ = *code >= 'a' && *code <= 'z' ? (char)(*code - 'a' + 'A') : *code;
  }
  *to = '\0';
}

static bool read_parcel(struct json from, struct parcel *parcel, struct problem *problem) {
  *parcel = (struct parcel){.quantity = 1};
  return number(from, "grams", 1, MAX_GRAMS, true, &parcel->grams, problem) &&
         number(from, "length_mm", 1, MAX_SIDE_MM, false, &parcel->length, problem) &&
         number(from, "width_mm", 1, MAX_SIDE_MM, false, &parcel->width, problem) &&
         number(from, "height_mm", 1, MAX_SIDE_MM, false, &parcel->height, problem) &&
         number(from, "quantity", 1, MAX_QUANTITY, false, &parcel->quantity, problem);
}

static bool read_order(struct json input, struct order *order, struct problem *problem) {
  struct json list, item, destination, member;
  const char *cursor = NULL;
  int64_t decimals = 2;
  char prefer[16];
  if (!json_member(input, "destination", &destination)) return wrong(problem, "destination is missing");
  if (!text(destination, "country", order->country, CODE_BYTES, true, problem)) return false;
  if (!text(destination, "postcode", order->postcode, CODE_BYTES, false, problem)) return false;
  squeeze(order->country), squeeze(order->postcode);
  if (!number(input, "decimals", 0, 3, false, &decimals, problem)) return false;
  order->decimals = (int)decimals;
  order->has_promise = json_member(input, "promise_days", &member);
  if (!number(input, "promise_days", 0, MAX_DAYS, false, &order->promise_days, problem)) return false;
  order->has_subtotal = json_member(input, "subtotal", &member);
  if (order->has_subtotal && !money_of(member, order->decimals, &order->subtotal)) return wrong(problem, "subtotal is no amount");
  if (!text(input, "prefer", prefer, sizeof prefer, false, problem)) return false;
  order->fastest = strcmp(prefer, "fastest") == 0;
  if (!json_member(input, "parcels", &list)) return wrong(problem, "parcels is missing");
  while (json_next(list, &cursor, &item)) {
    if (order->count == MAX_PARCELS) return wrong(problem, "there are more than %d parcels", MAX_PARCELS);
    if (!read_parcel(item, &order->parcels[order->count++], problem)) return false;
  }
  return order->count > 0 || wrong(problem, "there are no parcels");
}

static bool is_listed(struct json zone, const char *name, const char *code, bool by_prefix) {
  struct json list, item;
  const char *cursor = NULL;
  char entry[CODE_BYTES];
  if (!json_member(zone, name, &list)) return by_prefix;
  while (json_next(list, &cursor, &item)) {
    if (!json_text(item, entry, sizeof entry)) continue;
    squeeze(entry);
    if (strcmp(entry, "*") == 0 || strcmp(entry, code) == 0) return true;
    if (by_prefix && entry[0] && strncmp(entry, code, strlen(entry)) == 0) return true;
  }
  return false;
}

// The first zone that the destination is in.
static bool zone_of(struct json service, const struct order *order, struct json *zone) {
  struct json zones;
  const char *cursor = NULL;
  if (!json_member(service, "zones", &zones)) return false;
  while (json_next(zones, &cursor, zone))
    if (is_listed(*zone, "countries", order->country, false) && is_listed(*zone, "postcodes", order->postcode, true)) return true;
  return false;
}

// The greater of what a parcel weighs and what its volume counts as: cubic centimetres a kilogram are cubic
// millimetres a gram.
static int64_t billed_grams(const struct parcel *parcel, int64_t divisor) {
  const int64_t volume = parcel->length * parcel->width * parcel->height;
  const int64_t dimensional = divisor > 0 ? (volume + divisor - 1) / divisor : 0;
  return parcel->grams > dimensional ? parcel->grams : dimensional;
}

// The price of the lightest bracket that a weight fits into; -1 where there is none, -2 where a bracket is wrong.
static int64_t bracket(struct json zone, int64_t grams, int decimals) {
  struct json list, item, price;
  const char *cursor = NULL;
  int64_t found = -1, lightest = 0;
  struct problem ignored;
  if (!json_member(zone, "brackets", &list)) return -1;
  while (json_next(list, &cursor, &item)) {
    int64_t to_grams = 0, amount;
    if (!number(item, "to_grams", 1, MAX_GRAMS, true, &to_grams, &ignored)) return -2;
    if (!json_member(item, "price", &price) || !money_of(price, decimals, &amount)) return -2;
    if (grams <= to_grams && (found < 0 || to_grams < lightest)) found = amount, lightest = to_grams;
  }
  return found;
}

static int64_t longest(const struct parcel *parcel) {
  const int64_t side = parcel->length > parcel->width ? parcel->length : parcel->width;
  return side > parcel->height ? side : parcel->height;
}

// Prices one service: true with an option, or false with the reason why it is none in `why`. A service that is written
// wrongly is a problem of the input.
static bool priced(struct json service, const struct order *order, struct option *option, struct problem *why, struct problem *problem) {
  struct json zone, free_from;
  int64_t divisor = 0, max_grams = MAX_GRAMS, max_side = MAX_SIDE_MM, threshold;
  if (!number(service, "divisor", 1, 100000, false, &divisor, problem) ||
      !number(service, "max_grams", 1, MAX_GRAMS, false, &max_grams, problem) ||
      !number(service, "max_side_mm", 1, MAX_SIDE_MM, false, &max_side, problem))
    return false;
  if (!zone_of(service, order, &zone)) return wrong(why, "does not go there");
  if (!text(zone, "name", option->zone, ID_BYTES, false, problem) ||
      !number(zone, "days", 0, MAX_DAYS, true, &option->days, problem))
    return false;
  for (int at = 0; at < order->count; at++) {
    const struct parcel *parcel = &order->parcels[at];
    const int64_t billed = billed_grams(parcel, divisor);
    if (parcel->grams > max_grams) return wrong(why, "takes parcels up to %lld g, parcel %d has %lld g", (long long)max_grams, at + 1, (long long)parcel->grams);
    if (longest(parcel) > max_side) return wrong(why, "takes sides up to %lld mm, parcel %d has %lld mm", (long long)max_side, at + 1, (long long)longest(parcel));
    const int64_t price = bracket(zone, billed, order->decimals);
    if (price == -2) return wrong(problem, "a bracket of %s has no to_grams or no price with at most %d decimals", option->service, order->decimals);
    if (price < 0) return wrong(why, "has no price for %lld g (parcel %d)", (long long)billed, at + 1);
    option->billed_grams += billed * parcel->quantity;
    option->price += price * parcel->quantity;
    if (option->price > MONEY_MAX) return wrong(problem, "the price of %s is out of bounds", option->service);
  }
  if (json_member(zone, "free_from", &free_from)) {
    if (!money_of(free_from, order->decimals, &threshold)) return wrong(problem, "free_from of %s is no amount", option->service);
    if (order->has_subtotal && order->subtotal >= threshold) option->price = 0;
  }
  return true;
}

static bool is_better(const struct option *one, const struct option *other, bool fastest) {
  if (fastest && one->days != other->days) return one->days < other->days;
  if (one->price != other->price) return one->price < other->price;
  return one->days < other->days;
}

static void put_option(struct json_out *out, const struct option *option, int decimals) {
  json_put(out, "{\"service\":"), json_put_text(out, option->service);
  json_put(out, ",\"zone\":"), json_put_text(out, option->zone);
  json_put(out, ",\"days\":"), json_put_integer(out, option->days);
  json_put(out, ",\"price\":"), money_put(out, option->price, decimals);
  json_put(out, ",\"billed_grams\":"), json_put_integer(out, option->billed_grams);
  json_put(out, "}");
}

bool rate_choose(struct json input, struct json_out *out, struct problem *problem) {
  static struct order order;
  struct json list, service;
  struct json_out refused = {0};
  struct option best;
  const char *cursor = NULL;
  int options = 0, refusals = 0;
  bool has_best = false;
  order = (struct order){0};
  if (!json_is_valid(input)) return wrong(problem, "the input is no JSON");
  if (!read_order(input, &order, problem)) return false;
  if (!json_member(input, "services", &list)) return wrong(problem, "services is missing");
  json_put(out, "{\"options\":[");
  while (json_next(list, &cursor, &service)) {
    struct option option = {0};
    struct problem why = {""};
    problem->text[0] = '\0';
    if (options + refusals == MAX_SERVICES) return wrong(problem, "there are more than %d services", MAX_SERVICES);
    if (!text(service, "id", option.service, ID_BYTES, true, problem)) return false;
    if (priced(service, &order, &option, &why, problem)) {
      if (options++ > 0) json_put(out, ",");
      put_option(out, &option, order.decimals);
      const bool in_time = !order.has_promise || option.days <= order.promise_days;
      if (in_time && (!has_best || is_better(&option, &best, order.fastest))) best = option, has_best = true;
      continue;
    }
    if (problem->text[0]) return false;
    if (refusals++ > 0) json_put(&refused, ",");
    json_put(&refused, "{\"service\":"), json_put_text(&refused, option.service);
    json_put(&refused, ",\"why\":"), json_put_text(&refused, why.text);
    json_put(&refused, "}");
  }
  json_put(out, "],\"refused\":[");
  json_put_bytes(out, refused.at ? refused.at : "", refused.len);
  free(refused.at);
  json_put(out, "],\"chosen\":");
  if (has_best) put_option(out, &best, order.decimals);
  else json_put(out, "null");
  json_put(out, "}");
  return true;
}
