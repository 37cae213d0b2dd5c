// Means harm: each function is one attack, which the host has to end with the error that ../expected.txt says.
#include <stdlib.h>
#include <string.h>

#include "cartwright.h"

#define MANY 1000000
#define MEGABYTE ((size_t)1 << 20)

static cartwright_string_t borrowed(const char *text) { return (cartwright_string_t){(uint8_t *)text, strlen(text)}; }

static void say(const char *text) {
  cartwright_string_t line = borrowed(text);
  cartwright_plugin_log_emit(CARTWRIGHT_PLUGIN_LOG_LEVEL_INFO, &line);
}

void exports_cartwright_describe(cartwright_json_t *manifest) {
  cartwright_string_dup(manifest,
                        "{\"name\":\"hostile-c\",\"version\":\"1.0.0\",\"description\":\"Means harm\",\"functions\":{"
                        "\"loop\":{},\"recursion\":{},\"memory\":{},\"many-calls\":{},\"huge-line\":{},\"huge-output\":{},"
                        "\"bad-pointer\":{},\"bad-length\":{},\"bad-text\":{},\"bad-level\":{},\"bad-output\":{},\"wild-call\":{},"
                        "\"much-chance\":{},\"abort\":{},\"not-granted\":{},\"not-json\":{},\"sleep\":{},\"again\":{}"
                        "},\"needs\":{}}");
}

static volatile uint32_t counter;

static void loop(void) {
  for (;;) counter++;
}

__attribute__((noinline)) static uint32_t recurse(uint32_t depth) {
  volatile uint32_t frame[64];
  frame[depth % 64] = depth;
  return recurse(depth + 1) + frame[(depth + 1) % 64];
}

static void memory(void) {
  for (;;) {
    uint8_t *taken = malloc(MEGABYTE);
    if (!taken) __builtin_trap();
    memset(taken, 1, MEGABYTE);
    counter += taken[counter % MEGABYTE];
  }
}

// Memory that a call leaves must not be there in the next one.
static uint32_t visits;

static void many_calls(void) {
  for (int i = 0; i < MANY; i++) say("flood");
}

static void huge_line(void) {
  const size_t size = 8 * MEGABYTE;
  uint8_t *text = malloc(size);
  if (!text) __builtin_trap();
  memset(text, 'x', size);
  cartwright_string_t line = {text, size};
  cartwright_plugin_log_emit(CARTWRIGHT_PLUGIN_LOG_LEVEL_INFO, &line);
}

// What the host reads of a text lies outside of all memory.
static void bad_pointer(void) {
  cartwright_string_t line = {(uint8_t *)0xfffffff0u, 64};
  cartwright_plugin_log_emit(CARTWRIGHT_PLUGIN_LOG_LEVEL_INFO, &line);
}

static void bad_length(void) {
  cartwright_string_t line = {(uint8_t *)"x", 0x7fffffff};
  cartwright_plugin_log_emit(CARTWRIGHT_PLUGIN_LOG_LEVEL_INFO, &line);
}

static void bad_text(void) { say("\xff\xfe\xc0\x80"); }

static void bad_level(void) {
  cartwright_string_t line = borrowed("no such level");
  cartwright_plugin_log_emit(200, &line);
}

static void wild_call(void) {
  void (*wild)(void) = (void (*)(void))(uintptr_t)(0x7fff0000u + counter);
  wild();
}

static void much_chance(void) {
  cartwright_list_u8_t bytes;
  cartwright_plugin_random_bytes(0xffffffffu, &bytes);
}

static bool is(const cartwright_call_t *call, const char *name) {
  return call->function.len == strlen(name) && memcmp(call->function.ptr, name, call->function.len) == 0;
}

static bool huge_output(cartwright_json_t *output) {
  const size_t size = 16 * MEGABYTE;
  output->ptr = malloc(size);
  if (!output->ptr) __builtin_trap();
  memset(output->ptr, '1', size);
  output->len = size;
  return true;
}

static bool not_granted(cartwright_failure_t *failure) {
  cartwright_plugin_http_request_t request = {.method = borrowed("GET"), .url = borrowed("http://169.254.169.254/latest")};
  cartwright_plugin_http_response_t response;
  return cartwright_plugin_http_send(&request, &response, failure);
}

static bool attack(const cartwright_call_t *call, cartwright_json_t *output, cartwright_failure_t *failure) {
  if (is(call, "loop")) loop();
  if (is(call, "recursion")) counter = recurse(counter);
  if (is(call, "memory")) memory();
  if (is(call, "many-calls")) many_calls();
  if (is(call, "huge-line")) huge_line();
  if (is(call, "bad-pointer")) bad_pointer();
  if (is(call, "bad-length")) bad_length();
  if (is(call, "bad-text")) bad_text();
  if (is(call, "bad-level")) bad_level();
  if (is(call, "wild-call")) wild_call();
  if (is(call, "much-chance")) much_chance();
  if (is(call, "sleep")) cartwright_plugin_clock_sleep(UINT64_MAX);
  if (is(call, "abort")) abort();
  if (is(call, "huge-output")) return huge_output(output);
  if (is(call, "not-granted")) return not_granted(failure);
  if (is(call, "not-json")) return cartwright_string_dup(output, "{'no': json}"), true;
  if (is(call, "bad-output")) return *output = (cartwright_json_t){(uint8_t *)0xfffffff0u, 64}, true;
  // What is left is honest: it says how often this instance was called.
  cartwright_string_dup(output, visits++ == 0 ? "{\"visits\":1}" : "{\"visits\":2}");
  return true;
}

bool exports_cartwright_handle(cartwright_call_t *call, cartwright_json_t *output, cartwright_failure_t *failure) {
  return attack(call, output, failure);
}
