// JSON for small plugins: values are pieces of a text that was checked once, nothing is allocated for reading.
//
//     struct json input = {text, length}, total;
//     if (!json_is_valid(input) || !json_member(input, "total", &total)) …
//
// Every function but `json_is_valid` wants a piece that it, or a reader below, gave as valid.
#ifndef CARTWRIGHT_JSON_H
#define CARTWRIGHT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Deeper values are no plugin's input; a stack has an end.
#define JSON_MAX_DEPTH 64

// A value, from its first character to behind its last.
struct json {
  const char *at;
  size_t len;
};

static inline const char *json_skip_space(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
  return at;
}

static inline bool json_is_digit(const char *at, const char *end) { return at < end && *at >= '0' && *at <= '9'; }

static inline int json_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four digits of a \u escape, or -1.
static inline int32_t json_unit(const char *at, const char *end) {
  int32_t unit = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = json_hex(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// The functions below take a value's start and give what follows it, or NULL where it is no value.
static inline const char *json_past_string(const char *at, const char *end) {
  if (at >= end || *at++ != '"') return NULL;
  while (at < end && *at != '"') {
    if ((unsigned char)*at < 0x20) return NULL;
    if (*at++ != '\\') continue;
    if (at >= end) return NULL;
    char escape = *at++;
    if (escape == 'u') {
      if (json_unit(at, end) < 0) return NULL;
      at += 4;
    } else if (escape == '\0' || !strchr("\"\\/bfnrt", escape)) {
      return NULL;
    }
  }
  return at < end ? at + 1 : NULL;
}

static inline const char *json_past_digits(const char *at, const char *end) {
  if (!json_is_digit(at, end)) return NULL;
  while (json_is_digit(at, end)) at++;
  return at;
}

static inline const char *json_past_number(const char *at, const char *end) {
  if (at < end && *at == '-') at++;
  if (json_is_digit(at, end) && *at == '0') at++;
  else if (!(at = json_past_digits(at, end))) return NULL;
  if (at < end && *at == '.' && !(at = json_past_digits(at + 1, end))) return NULL;
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = json_past_digits(at, end);
  }
  return at;
}

static inline const char *json_past_word(const char *at, const char *end, const char *word) {
  size_t len = strlen(word);
  return (size_t)(end - at) >= len && memcmp(at, word, len) == 0 ? at + len : NULL;
}

static inline const char *json_past_value(const char *at, const char *end, int depth);

static inline const char *json_past_items(const char *at, const char *end, int depth, bool is_object) {
  const char close = is_object ? '}' : ']';
  if (depth <= 0) return NULL;
  at = json_skip_space(at + 1, end);
  if (at < end && *at == close) return at + 1;
  for (;;) {
    if (is_object) {
      if (!(at = json_past_string(at, end))) return NULL;
      at = json_skip_space(at, end);
      if (at >= end || *at++ != ':') return NULL;
      at = json_skip_space(at, end);
    }
    if (!(at = json_past_value(at, end, depth - 1))) return NULL;
    at = json_skip_space(at, end);
    if (at < end && *at == close) return at + 1;
    if (at >= end || *at++ != ',') return NULL;
    at = json_skip_space(at, end);
  }
}

static inline const char *json_past_value(const char *at, const char *end, int depth) {
  if (at >= end) return NULL;
  switch (*at) {
    case '{': return json_past_items(at, end, depth, true);
    case '[': return json_past_items(at, end, depth, false);
    case '"': return json_past_string(at, end);
    case 't': return json_past_word(at, end, "true");
    case 'f': return json_past_word(at, end, "false");
    case 'n': return json_past_word(at, end, "null");
    default: return json_past_number(at, end);
  }
}

// The value that starts here, after spaces; `past` is behind it.
static inline bool json_read(const char *at, const char *end, struct json *value, const char **past) {
  at = json_skip_space(at, end);
  const char *behind = json_past_value(at, end, JSON_MAX_DEPTH);
  if (!behind) return false;
  value->at = at;
  value->len = (size_t)(behind - at);
  *past = behind;
  return true;
}

// Whether a whole text is one value of RFC 8259.
static inline bool json_is_valid(struct json text) {
  struct json value;
  const char *past, *end = text.at + text.len;
  return json_read(text.at, end, &value, &past) && json_skip_space(past, end) == end;
}

static inline char json_kind(struct json value) { return *json_skip_space(value.at, value.at + value.len); }

// The next item of an array: start with `*cursor` NULL; false behind the last one and for what is no array.
static inline bool json_next(struct json array, const char **cursor, struct json *item) {
  const char *end = array.at + array.len;
  if (!*cursor) {
    const char *at = json_skip_space(array.at, end);
    if (at >= end || *at != '[') return false;
    *cursor = at + 1;
  }
  const char *at = json_skip_space(*cursor, end);
  if (at < end && *at == ',') at++;
  return json_read(at, end, item, cursor);
}

// Copies a text's characters, escapes resolved, and a NUL; false for no text, for one that does not fit, and for one
// with a NUL or half a character in it.
static inline bool json_text(struct json value, char *into, size_t room) {
  const char *at = json_skip_space(value.at, value.at + value.len), *end = value.at + value.len;
  size_t len = 0;
  if (at >= end || *at++ != '"') return false;
  while (at < end && *at != '"') {
    uint32_t code = (unsigned char)*at++;
    if (code == '\\') {
      static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
      const char escape = *at++, *named = strchr(names, escape);
      code = named ? (unsigned char)codes[named - names] : (unsigned char)escape;
      if (escape == 'u') {
        code = (uint32_t)json_unit(at, end);
        at += 4;
        if (code >= 0xd800 && code <= 0xdbff) {
          int32_t low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? json_unit(at + 2, end) : -1;
          if (low < 0xdc00 || low > 0xdfff) return false;
          code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
          at += 6;
        } else if (code >= 0xdc00 && code <= 0xdfff) {
          return false;
        }
        if (code == 0 || len + 5 > room) return false;
        if (code >= 0x10000) into[len++] = (char)(0xf0 | code >> 18), into[len++] = (char)(0x80 | (code >> 12 & 0x3f));
        else if (code >= 0x800) into[len++] = (char)(0xe0 | code >> 12);
        if (code >= 0x800) into[len++] = (char)(0x80 | (code >> 6 & 0x3f));
        else if (code >= 0x80) into[len++] = (char)(0xc0 | code >> 6);
        if (code >= 0x80) code = 0x80 | (code & 0x3f);
      }
    }
    if (len + 2 > room) return false;
    into[len++] = (char)code;
  }
  if (room == 0) return false;
  into[len] = '\0';
  return true;
}

// A whole number; false for any other value and for one that 64 bits do not hold.
static inline bool json_integer(struct json value, int64_t *number) {
  const char *at = json_skip_space(value.at, value.at + value.len), *end = value.at + value.len;
  const bool negative = at < end && *at == '-';
  int64_t sum = 0;
  if (negative) at++;
  if (!json_is_digit(at, end)) return false;
  for (; json_is_digit(at, end); at++) {
    const int digit = *at - '0';
    if (__builtin_mul_overflow(sum, 10, &sum)) return false;
    if (negative ? __builtin_sub_overflow(sum, digit, &sum) : __builtin_add_overflow(sum, digit, &sum)) return false;
  }
  if (json_skip_space(at, end) != end) return false;
  *number = sum;
  return true;
}

// A member of an object by its name; false where there is none. Of two with one name the last counts.
static inline bool json_member(struct json object, const char *name, struct json *value) {
  const char *end = object.at + object.len, *at = json_skip_space(object.at, end);
  bool found = false;
  if (at >= end || *at != '{') return false;
  at = json_skip_space(at + 1, end);
  while (at < end && *at == '"') {
    struct json key, member;
    char text[64];
    if (!json_read(at, end, &key, &at)) return false;
    at = json_skip_space(at, end) + 1;
    if (!json_read(at, end, &member, &at)) return false;
    if (json_text(key, text, sizeof text) && strcmp(text, name) == 0) *value = member, found = true;
    at = json_skip_space(at, end);
    if (at < end && *at == ',') at = json_skip_space(at + 1, end);
  }
  return found;
}

// A text that grows. What does not fit into memory ends the plugin.
struct json_out {
  char *at;
  size_t len, room;
};

static inline void json_put_bytes(struct json_out *out, const char *bytes, size_t len) {
  if (out->room - out->len < len) {
    out->room = (out->room + len) * 2;
    out->at = realloc(out->at, out->room);
    if (!out->at) abort();
  }
  memcpy(out->at + out->len, bytes, len);
  out->len += len;
}

// JSON as it is written here.
static inline void json_put(struct json_out *out, const char *json) { json_put_bytes(out, json, strlen(json)); }

static inline void json_put_integer(struct json_out *out, int64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do digits[--at] = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (number < 0) json_put(out, "-");
  json_put_bytes(out, digits + at, sizeof digits - at);
}

// Characters as a JSON text, quoted and escaped.
static inline void json_put_text(struct json_out *out, const char *text) {
  static const char hex[] = "0123456789abcdef";
  json_put(out, "\"");
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    const char named[] = {'\\', (char)c}, coded[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (c == '"' || c == '\\') json_put_bytes(out, named, sizeof named);
    else if (c < 0x20) json_put_bytes(out, coded, sizeof coded);
    else json_put_bytes(out, text, 1);
  }
  json_put(out, "\"");
}

#endif
