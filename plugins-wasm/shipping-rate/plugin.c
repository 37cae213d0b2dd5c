// Shipping-rate chooser: the component's two functions around rate.c. What it computes stands in README.md.
#include <string.h>

#include "cartwright.h"
#include "manifest.h"
#include "rate.h"

void exports_cartwright_describe(cartwright_json_t *manifest) { cartwright_string_dup(manifest, MANIFEST); }

static bool invalid(cartwright_failure_t *failure, const char *why) {
  failure->tag = CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID;
  cartwright_string_dup(&failure->val.invalid, why);
  return false;
}

bool exports_cartwright_handle(cartwright_call_t *call, cartwright_json_t *output, cartwright_failure_t *failure) {
  const struct json input = {(const char *)call->input.ptr, call->input.len};
  struct json_out out = {0};
  struct problem problem = {""};
  if (call->function.len != 6 || memcmp(call->function.ptr, "choose", 6) != 0) {
    cartwright_call_free(call);
    return invalid(failure, "there is no such function");
  }
  const bool fine = rate_choose(input, &out, &problem);
  cartwright_call_free(call);
  if (!fine) {
    free(out.at);
    return invalid(failure, problem.text);
  }
  *output = (cartwright_json_t){(uint8_t *)out.at, out.len};
  return true;
}
