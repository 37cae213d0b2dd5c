// Executes the plugin without the engine: the host functions it calls are the ones below.
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cartwright.h"

static int64_t kept;
static char key_seen[200];
static bool state_fails;

bool cartwright_plugin_state_increment(cartwright_string_t *key, int64_t by, int64_t *sum,
                                       cartwright_plugin_state_failure_t *failure) {
  snprintf(key_seen, sizeof key_seen, "%.*s", (int)key->len, (const char *)key->ptr);
  if (state_fails) {
    failure->tag = CARTWRIGHT_PLUGIN_TYPES_FAILURE_TIMEOUT;
    return false;
  }
  *sum = kept += by;
  return true;
}

void cartwright_plugin_log_emit(cartwright_plugin_log_level_t level, cartwright_string_t *message) {
  (void)level, (void)message;
}

void cartwright_string_dup(cartwright_string_t *copy, const char *text) {
  copy->len = strlen(text);
  copy->ptr = malloc(copy->len + 1);
  assert(copy->ptr);
  memcpy(copy->ptr, text, copy->len);
}

void cartwright_call_free(cartwright_call_t *call) { (void)call; }

static cartwright_failure_t failure;

// What `handle` gives, or NULL where it fails.
static const char *call(const char *function, const char *input) {
  static char answer[200];
  cartwright_call_t given = {0};
  cartwright_json_t output = {0};
  given.function = (cartwright_string_t){(uint8_t *)function, strlen(function)};
  given.input = (cartwright_string_t){(uint8_t *)input, strlen(input)};
  if (!exports_cartwright_handle(&given, &output, &failure)) return NULL;
  snprintf(answer, sizeof answer, "%.*s", (int)output.len, (const char *)output.ptr);
  free(output.ptr);
  return answer;
}

static void whole_units_become_points_that_add_up(void) {
  assert(strcmp(call("award", "{\"customer\":\"ada\",\"total\":\"49.90\"}"), "{\"points\":49,\"balance\":49}") == 0);
  assert(strcmp(key_seen, "points:ada") == 0);
  assert(strcmp(call("award", "{\"total\":\"10\",\"customer\":\"\\u00e9va\"}"), "{\"points\":10,\"balance\":59}") == 0);
  assert(strcmp(key_seen, "points:\xc3\xa9va") == 0);
}

static void what_cannot_be_executed_is_refused(void) {
  assert(!call("other", "{}") && failure.tag == CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID);
  assert(!call("award", "{\"customer\":5}") && failure.tag == CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID);
  assert(!call("award", "{\"customer\":") && failure.tag == CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID);
}

static void a_failure_of_the_host_is_given_on(void) {
  state_fails = true;
  assert(!call("award", "{\"customer\":\"ada\",\"total\":\"1\"}"));
  assert(failure.tag == CARTWRIGHT_PLUGIN_TYPES_FAILURE_TIMEOUT);
  state_fails = false;
}

int main(void) {
  whole_units_become_points_that_add_up();
  what_cannot_be_executed_is_refused();
  a_failure_of_the_host_is_given_on();
  puts("3 tests passed");
}
