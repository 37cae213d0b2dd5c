// A plugin for Cartwright: `describe` says what it offers, `handle` executes one call.
// The host functions it may call stand in bindings/cartwright.h; there are no files, sockets or environment.
#include <stdio.h>
#include <string.h>

#include "cartwright.h"
#include "json.h"

static const char MANIFEST[] =
    "{\"name\":\"{{name}}\",\"version\":\"0.1.0\",\"description\":\"Counts loyalty points of customers\",\"functions\":{"
    "\"award\":{\"description\":\"Gives one point for each whole unit of an order's total\","
    "\"input\":{\"type\":\"object\",\"required\":[\"customer\",\"total\"],\"additionalProperties\":false,\"properties\":{"
    "\"customer\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":40},"
    "\"total\":{\"type\":\"string\",\"pattern\":\"^[0-9]{1,9}(\\\\.[0-9]{1,4})?$\"}}},"
    "\"output\":{\"type\":\"object\",\"required\":[\"points\",\"balance\"],\"properties\":{"
    "\"points\":{\"type\":\"integer\"},\"balance\":{\"type\":\"integer\"}}}}},"
    // What a workflow has to grant: {"http":["api.example.com"],"woo":["orders.read"],…}; state and log need nothing.
    "\"needs\":{}}";

// Bytes of a customer: up to four a character, and a NUL.
#define CUSTOMER_BYTES (40 * 4 + 1)
#define TOTAL_BYTES 16

void exports_cartwright_describe(cartwright_json_t *manifest) { cartwright_string_dup(manifest, MANIFEST); }

static bool invalid(cartwright_failure_t *failure, const char *why) {
  failure->tag = CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID;
  cartwright_string_dup(&failure->val.invalid, why);
  return false;
}

// The input fits the schema: the engine has looked.
static bool award(struct json input, cartwright_json_t *output, cartwright_failure_t *failure) {
  struct json customer, total;
  char name[CUSTOMER_BYTES], amount[TOTAL_BYTES], key[CUSTOMER_BYTES + 8], line[80];
  if (!json_is_valid(input) || !json_member(input, "customer", &customer) || !json_member(input, "total", &total) ||
      !json_text(customer, name, sizeof name) || !json_text(total, amount, sizeof amount))
    return invalid(failure, "customer and total have to be texts");

  const int64_t points = strtoll(amount, NULL, 10);
  int64_t balance;
  snprintf(key, sizeof key, "points:%s", name);
  cartwright_string_t borrowed = {(uint8_t *)key, strlen(key)};
  // A host call that failed gives its failure on, which the engine knows how to retry.
  if (!cartwright_plugin_state_increment(&borrowed, points, &balance, failure)) return false;

  snprintf(line, sizeof line, "%lld points, %lld in all", (long long)points, (long long)balance);
  borrowed = (cartwright_string_t){(uint8_t *)line, strlen(line)};
  cartwright_plugin_log_emit(CARTWRIGHT_PLUGIN_LOG_LEVEL_INFO, &borrowed);

  struct json_out out = {0};
  json_put(&out, "{\"points\":");
  json_put_integer(&out, points);
  json_put(&out, ",\"balance\":");
  json_put_integer(&out, balance);
  json_put(&out, "}");
  *output = (cartwright_json_t){(uint8_t *)out.at, out.len};
  return true;
}

bool exports_cartwright_handle(cartwright_call_t *call, cartwright_json_t *output, cartwright_failure_t *failure) {
  const struct json input = {(const char *)call->input.ptr, call->input.len};
  const bool is_award = call->function.len == 5 && memcmp(call->function.ptr, "award", 5) == 0;
  const bool fine = is_award ? award(input, output, failure) : invalid(failure, "there is no such function");
  cartwright_call_free(call);
  return fine;
}
