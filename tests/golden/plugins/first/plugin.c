// The first plugin ever built against cartwright:plugin@1.0.0; see README.md. Not to be changed: its component is kept.
#include <stdlib.h>
#include <string.h>

#include "cartwright.h"
#include "json.h"

static const char MANIFEST[] =
    "{\"name\":\"first\",\"version\":\"1.0.0\",\"description\":\"Built when the interface was new\",\"functions\":{"
    "\"greet\":{\"description\":\"Greets, and says how often it did\","
    "\"input\":{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":40}}},"
    "\"output\":{\"type\":\"object\",\"required\":[\"greeting\",\"times\",\"now\",\"chance\",\"answer\"],\"properties\":{"
    "\"greeting\":{\"type\":\"string\"},\"times\":{\"type\":\"integer\"},\"now\":{\"type\":\"integer\"},"
    "\"chance\":{\"type\":\"integer\"},\"answer\":{\"type\":\"integer\"}}}}},"
    "\"needs\":{\"http\":[\"api.example.com\"]}}";

static cartwright_string_t borrowed(const char *text) { return (cartwright_string_t){(uint8_t *)text, strlen(text)}; }

void exports_cartwright_describe(cartwright_json_t *manifest) { cartwright_string_dup(manifest, MANIFEST); }

bool exports_cartwright_handle(cartwright_call_t *call, cartwright_json_t *output, cartwright_failure_t *failure) {
  struct json input = {(const char *)call->input.ptr, call->input.len}, member;
  cartwright_string_t key = borrowed("greeted"), line = borrowed("greeting");
  cartwright_plugin_http_request_t request = {.method = borrowed("GET"), .url = borrowed("https://api.example.com/hello")};
  cartwright_plugin_http_response_t response;
  cartwright_list_u8_t chance;
  char name[161];
  int64_t times;
  struct json_out out = {0};
  if (!json_is_valid(input) || !json_member(input, "name", &member) || !json_text(member, name, sizeof name)) {
    failure->tag = CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID;
    cartwright_string_dup(&failure->val.invalid, "name has to be a text");
    return false;
  }
  cartwright_plugin_log_emit(CARTWRIGHT_PLUGIN_LOG_LEVEL_INFO, &line);
  const uint64_t now = cartwright_plugin_clock_now();
  cartwright_plugin_random_bytes(1, &chance);
  if (!cartwright_plugin_state_increment(&key, 1, &times, failure)) return false;
  if (!cartwright_plugin_http_send(&request, &response, failure)) return false;
  json_put(&out, "{\"greeting\":");
  json_put_text(&out, name);
  json_put(&out, ",\"times\":"), json_put_integer(&out, times);
  json_put(&out, ",\"now\":"), json_put_integer(&out, (int64_t)now);
  json_put(&out, ",\"chance\":"), json_put_integer(&out, chance.ptr[0]);
  json_put(&out, ",\"answer\":"), json_put_integer(&out, response.status);
  json_put(&out, "}");
  *output = (cartwright_json_t){(uint8_t *)out.at, out.len};
  return true;
}
