// Executes the plugin without the engine, and its JSON and money with input that cannot be right.
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cartwright.h"
#include "manifest.h"
#include "money.h"

static char answer[8192];

void cartwright_string_dup(cartwright_string_t *copy, const char *text) {
  copy->len = strlen(text);
  copy->ptr = malloc(copy->len + 1);
  assert(copy->ptr);
  memcpy(copy->ptr, text, copy->len);
}

void cartwright_call_free(cartwright_call_t *call) { (void)call; }

// What `choose` gives; a failure begins with `!`.
static const char *choose(const char *input) {
  static char function[] = "choose";
  cartwright_call_t call = {0};
  cartwright_json_t output = {0};
  cartwright_failure_t failure = {0};
  // A copy of the exact size, so that a sanitizer sees every read behind its end.
  uint8_t *copy = malloc(strlen(input) + 1);
  assert(copy);
  memcpy(copy, input, strlen(input));
  call.function = (cartwright_string_t){(uint8_t *)function, 6};
  call.input = (cartwright_string_t){copy, strlen(input)};
  const bool fine = exports_cartwright_handle(&call, &output, &failure);
  assert(fine || failure.tag == CARTWRIGHT_PLUGIN_TYPES_FAILURE_INVALID);
  cartwright_string_t *said = fine ? &output : &failure.val.invalid;
  snprintf(answer, sizeof answer, "%s%.*s", fine ? "" : "!", (int)said->len, (const char *)said->ptr);
  free(said->ptr);
  free(copy);
  return answer;
}

static void gives(const char *input, const char *expected) {
  if (strcmp(choose(input), expected) != 0) {
    fprintf(stderr, "input:    %s\nexpected: %s\ngot:      %s\n", input, expected, answer);
    assert(!"as expected");
  }
}

#define DE "\"destination\":{\"country\":\"de\",\"postcode\":\"10115\"},"
#define ONE_KG "\"parcels\":[{\"grams\":1000}],"
#define POST "{\"id\":\"post\",\"zones\":[{\"name\":\"home\",\"countries\":[\"DE\"],\"days\":3,\"brackets\":[{\"to_grams\":2000,\"price\":\"5.49\"},{\"to_grams\":500,\"price\":\"2.75\"}]}]}"
#define FAST "{\"id\":\"fast\",\"divisor\":5000,\"zones\":[{\"name\":\"all\",\"countries\":[\"*\"],\"days\":1,\"free_from\":\"100\",\"brackets\":[{\"to_grams\":10000,\"price\":\"12.90\"}]}]}"
#define POST_OPTION(PRICE, GRAMS) "{\"service\":\"post\",\"zone\":\"home\",\"days\":3,\"price\":\"" PRICE "\",\"billed_grams\":" GRAMS "}"
#define FAST_OPTION(PRICE, GRAMS) "{\"service\":\"fast\",\"zone\":\"all\",\"days\":1,\"price\":\"" PRICE "\",\"billed_grams\":" GRAMS "}"

static void the_cheapest_is_chosen_and_the_fastest_where_preferred(void) {
  gives("{" DE ONE_KG "\"services\":[" FAST "," POST "]}",
        "{\"options\":[" FAST_OPTION("12.90", "1000") "," POST_OPTION("5.49", "1000") "],\"refused\":[],\"chosen\":" POST_OPTION("5.49", "1000") "}");
  gives("{" DE ONE_KG "\"prefer\":\"fastest\",\"services\":[" POST "," FAST "]}",
        "{\"options\":[" POST_OPTION("5.49", "1000") "," FAST_OPTION("12.90", "1000") "],\"refused\":[],\"chosen\":" FAST_OPTION("12.90", "1000") "}");
}

static void a_promise_leaves_out_what_is_too_slow(void) {
  gives("{" DE ONE_KG "\"promise_days\":2,\"services\":[" POST "," FAST "]}",
        "{\"options\":[" POST_OPTION("5.49", "1000") "," FAST_OPTION("12.90", "1000") "],\"refused\":[],\"chosen\":" FAST_OPTION("12.90", "1000") "}");
  gives("{" DE ONE_KG "\"promise_days\":2,\"services\":[" POST "]}", "{\"options\":[" POST_OPTION("5.49", "1000") "],\"refused\":[],\"chosen\":null}");
}

static void brackets_are_those_that_fit_whatever_their_order(void) {
  gives("{" DE "\"parcels\":[{\"grams\":500,\"quantity\":3}],\"services\":[" POST "]}",
        "{\"options\":[" POST_OPTION("8.25", "1500") "],\"refused\":[],\"chosen\":" POST_OPTION("8.25", "1500") "}");
  gives("{" DE "\"parcels\":[{\"grams\":2001}],\"services\":[" POST "]}",
        "{\"options\":[],\"refused\":[{\"service\":\"post\",\"why\":\"has no price for 2001 g (parcel 1)\"}],\"chosen\":null}");
}

// 40 by 30 by 30 cm with a divisor of 5,000 counts as 7.2 kg, however light it is.
static void large_light_parcels_are_billed_by_their_volume(void) {
  gives("{" DE "\"parcels\":[{\"grams\":5000,\"length_mm\":400,\"width_mm\":300,\"height_mm\":300}],\"services\":[" FAST "]}",
        "{\"options\":[" FAST_OPTION("12.90", "7200") "],\"refused\":[],\"chosen\":" FAST_OPTION("12.90", "7200") "}");
  gives("{" DE "\"parcels\":[{\"grams\":1,\"length_mm\":1,\"width_mm\":1,\"height_mm\":5001}],\"services\":[" FAST "]}",
        "{\"options\":[" FAST_OPTION("12.90", "2") "],\"refused\":[],\"chosen\":" FAST_OPTION("12.90", "2") "}");
}

static void limits_and_zones_refuse(void) {
  gives("{" DE ONE_KG "\"services\":[{\"id\":\"a\",\"max_grams\":999,\"zones\":[{\"countries\":[\"DE\"],\"days\":1,\"brackets\":[]}]},"
        "{\"id\":\"b\",\"zones\":[{\"countries\":[\"FR\"],\"days\":1,\"brackets\":[]}]},"
        "{\"id\":\"c\",\"zones\":[{\"countries\":[\"DE\"],\"postcodes\":[\"2\"],\"days\":1,\"brackets\":[]}]}]}",
        "{\"options\":[],\"refused\":[{\"service\":\"a\",\"why\":\"takes parcels up to 999 g, parcel 1 has 1000 g\"},"
        "{\"service\":\"b\",\"why\":\"does not go there\"},{\"service\":\"c\",\"why\":\"does not go there\"}],\"chosen\":null}");
  gives("{\"destination\":{\"country\":\"GB\",\"postcode\":\"bt1 5gs\"}," ONE_KG
        "\"services\":[{\"id\":\"ni\",\"zones\":[{\"countries\":[\"GB\"],\"postcodes\":[\"BT\"],\"days\":2,\"brackets\":[{\"to_grams\":1000,\"price\":\"9\"}]}]}]}",
        "{\"options\":[{\"service\":\"ni\",\"zone\":\"\",\"days\":2,\"price\":\"9.00\",\"billed_grams\":1000}],\"refused\":[],"
        "\"chosen\":{\"service\":\"ni\",\"zone\":\"\",\"days\":2,\"price\":\"9.00\",\"billed_grams\":1000}}");
}

static void shipping_is_free_from_a_subtotal_on(void) {
  assert(strstr(choose("{" DE ONE_KG "\"subtotal\":\"99.99\",\"services\":[" FAST "]}"), "\"price\":\"12.90\""));
  assert(strstr(choose("{" DE ONE_KG "\"subtotal\":\"100.00\",\"services\":[" FAST "]}"), "\"price\":\"0.00\""));
}

static void wrong_input_is_told(void) {
  gives("{", "!the input is no JSON");
  gives("{}", "!destination is missing");
  gives("{" DE "\"parcels\":[],\"services\":[]}", "!there are no parcels");
  gives("{" DE "\"parcels\":[{\"grams\":0}],\"services\":[]}", "!grams has to be a whole number from 1 to 10000000");
  gives("{" DE "\"parcels\":[{\"grams\":1.5}],\"services\":[]}", "!grams has to be a whole number from 1 to 10000000");
  gives("{" DE ONE_KG "\"services\":[{\"id\":\"x\",\"zones\":[{\"countries\":[\"DE\"],\"days\":1,\"brackets\":[{\"to_grams\":9000,\"price\":\"1.999\"}]}]}]}",
        "!a bracket of x has no to_grams or no price with at most 2 decimals");
}

static void json_is_read_strictly(void) {
  static const char *const fine[] = {"0", "-1.5e+3", "\"\\u00e9\\n\"", "[]", "{}", "[1,[2,{\"a\":null}]]", " true "};
  static const char *const bad[] = {"", "01", "1.", ".5", "-", "+1", "1e", "nul", "\"", "\"\\x\"", "\"\\u12\"", "[1,]", "{\"a\"}", "{a:1}", "{\"a\":1,}", "1 2", "[", "\"\n\"", "'a'"};
  char deep[2 * JSON_MAX_DEPTH + 8];
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) assert(json_is_valid((struct json){fine[i], strlen(fine[i])}));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert(!json_is_valid((struct json){bad[i], strlen(bad[i])}));
  for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
    memset(deep, '[', (size_t)depth), memset(deep + depth, ']', (size_t)depth);
    assert(json_is_valid((struct json){deep, (size_t)depth * 2}) == (depth <= JSON_MAX_DEPTH));
  }
}

static void texts_and_numbers_are_read_whole_or_not_at_all(void) {
  char into[16];
  int64_t number;
#define JSON(TEXT) ((struct json){TEXT, sizeof(TEXT) - 1})
  assert(json_text(JSON("\"\\ud83d\\ude00\""), into, sizeof into) && strcmp(into, "\xf0\x9f\x98\x80") == 0);
  assert(!json_text(JSON("\"\\ud83d\""), into, sizeof into) && !json_text(JSON("\"\\ude00\""), into, sizeof into));
  assert(!json_text(JSON("\"a\\u0000b\""), into, sizeof into));
  assert(json_text(JSON("\"123456789012345\""), into, sizeof into) && !json_text(JSON("\"1234567890123456\""), into, sizeof into));
  assert(json_integer(JSON("-9223372036854775808"), &number) && number == INT64_MIN);
  assert(!json_integer(JSON("9223372036854775808"), &number) && !json_integer(JSON("1e3"), &number));
  assert(json_integer(JSON("9223372036854775807"), &number) && number == INT64_MAX);
}

static void amounts_are_whole_numbers_of_the_smallest_unit(void) {
  int64_t amount;
  assert(money_read("5.49", 2, &amount) && amount == 549);
  assert(money_read("5", 2, &amount) && amount == 500);
  assert(money_read("5.490", 2, &amount) && amount == 549);
  assert(money_read("1200", 0, &amount) && amount == 1200);
  assert(!money_read("5.499", 2, &amount) && !money_read("", 2, &amount) && !money_read("-1", 2, &amount));
  assert(!money_read("1.", 2, &amount) && !money_read(".5", 2, &amount) && !money_read("1.2.3", 2, &amount) && !money_read("1,5", 2, &amount));
  assert(!money_read("99999999999999999999", 2, &amount));
}

static void the_manifest_is_json(void) { assert(json_is_valid(JSON(MANIFEST))); }

int main(void) {
  the_cheapest_is_chosen_and_the_fastest_where_preferred();
  a_promise_leaves_out_what_is_too_slow();
  brackets_are_those_that_fit_whatever_their_order();
  large_light_parcels_are_billed_by_their_volume();
  limits_and_zones_refuse();
  shipping_is_free_from_a_subtotal_on();
  wrong_input_is_told();
  json_is_read_strictly();
  texts_and_numbers_are_read_whole_or_not_at_all();
  amounts_are_whole_numbers_of_the_smallest_unit();
  the_manifest_is_json();
  puts("11 tests passed");
}
