#include "config/words.h"

#include <inttypes.h>
#include <string.h>

#include "config/duration.h"

#define QUOTED_MAX 60 /* bytes of a text that are worth showing */

/* One character of a text that is valid UTF-8: what a terminal would obey is written as JSON
 * would escape it. Returns its length in bytes. */
static size_t write_character(FILE *out, const unsigned char *text)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    length = strnlen((const char *)text, length);
    if (text[0] < 0x20 || text[0] == 0x7f)
        fprintf(out, "\\u%04x", text[0]);
    else if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0)
        fprintf(out, "\\u%04x", text[1]);
    else
        fwrite(text, 1, length, out);
    return length;
}

void words_plain(FILE *out, const char *text)
{
    while (*text != '\0')
        text += write_character(out, (const unsigned char *)text);
}

void words_quoted(FILE *out, const char *text)
{
    const char *end = text + QUOTED_MAX;
    putc('"', out);
    while (*text != '\0' && text < end) {
        if (*text == '"' || *text == '\\')
            putc('\\', out);
        text += write_character(out, (const unsigned char *)text);
    }
    fputs(*text != '\0' ? "...\"" : "\"", out);
}

static bool is_plain_key(const char *key)
{
    size_t length = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return length > 0 && length <= QUOTED_MAX && key[length] == '\0';
}

void words_place(FILE *out, const struct place *place)
{
    if (place == NULL)
        return;
    words_place(out, place->parent);
    if (place->key == NULL) {
        fprintf(out, "[%zu]", place->index);
    } else if (place->quoted || !is_plain_key(place->key)) {
        putc('[', out);
        words_quoted(out, place->key);
        putc(']', out);
    } else {
        fprintf(out, "%s%s", place->parent != NULL ? "." : "", place->key);
    }
}

static void write_count(FILE *out, const char *what, size_t count)
{
    if (count > 0)
        fprintf(out, "an %s of %zu", what, count);
    else
        fprintf(out, "an empty %s", what);
}

void words_found(FILE *out, const json_t *found)
{
    switch (json_typeof(found)) {
    case JSON_OBJECT:
        write_count(out, "object", json_object_size(found));
        return;
    case JSON_ARRAY:
        write_count(out, "array", json_array_size(found));
        return;
    case JSON_STRING:
        words_quoted(out, json_string_value(found));
        return;
    case JSON_INTEGER:
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(found));
        return;
    case JSON_REAL:
        fprintf(out, "%.15g", json_real_value(found));
        return;
    case JSON_TRUE:
        fputs("true", out);
        return;
    case JSON_FALSE:
        fputs("false", out);
        return;
    case JSON_NULL:
        fputs("null", out);
        return;
    }
}

static void write_words(FILE *out, const struct schema_word *words)
{
    for (const struct schema_word *word = words; word->text != NULL; word++) {
        const char *before = word == words ? "" : word[1].text != NULL ? ", " : " or ";
        fprintf(out, "%s\"%s\"", before, word->text);
    }
}

static void write_durations(FILE *out, const struct schema_key *key)
{
    char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];
    duration_format((uint64_t)key->min * key->unit, min);
    duration_format((uint64_t)key->max * key->unit, max);
    const char *whole = key->unit == UNIT_S    ? " in whole seconds"
                        : key->unit == UNIT_MS ? " in whole milliseconds"
                                               : "";
    fprintf(out, "%s to %s%s, as a number of seconds or a text with a unit (ms, s, m, h, d)", min,
            max, whole);
}

static void write_failure_modes(FILE *out, const struct schema_key *key)
{
    for (const struct schema_word *word = key->words; word->text != NULL; word++)
        fprintf(out, "\"%s\", ", word->text);
    fprintf(out, "or an array of %u to %u addresses", key->min, key->max);
}

void words_allowed(FILE *out, const struct schema_key *key)
{
    switch (key->kind) {
    case KIND_DURATION:
        write_durations(out, key);
        break;
    case KIND_NUMBER:
    case KIND_PORT:
        fprintf(out, "a whole number from %u to %u", key->min, key->max);
        break;
    case KIND_RATIO:
        fprintf(out, "a number from %u to %u", key->min, key->max);
        break;
    case KIND_SWITCH:
        fputs("true or false", out);
        break;
    case KIND_WORD:
        write_words(out, key->words);
        break;
    case KIND_TEXT:
        fprintf(out, "a text of %u to %u bytes", key->min, key->max);
        break;
    case KIND_REGEX:
        fprintf(out, "a POSIX extended expression of %u to %u bytes", key->min, key->max);
        break;
    case KIND_LABEL:
        fprintf(out, "a text of %u to %u bytes without blanks and control bytes", key->min,
                key->max);
        break;
    case KIND_URL_PATH:
        fprintf(out,
                "a text that begins with '/', of at most %u bytes, without blanks and "
                "control bytes",
                key->max);
        break;
    case KIND_NAME:
        fputs("a host name", out);
        break;
    case KIND_FILE:
    case KIND_PATH:
        fprintf(out, "the path of a file, at most %u bytes", key->max);
        break;
    case KIND_SERVER:
        fputs("an IPv4 or IPv6 address or a host name (no port)", out);
        break;
    case KIND_UPSTREAMS:
        fprintf(out, "an array of %u to %u addresses, with a port or without", key->min, key->max);
        break;
    case KIND_NAMES:
        fprintf(out, "an array of %u to %u host names", key->min, key->max);
        break;
    case KIND_HEADERS:
        fprintf(out, "an object of at most %u header names, each with its value", key->max);
        break;
    case KIND_STATUSES:
        fprintf(out, "a code from 100 to 599, a range as \"200-299\", or an array of %u to %u",
                key->min, key->max);
        break;
    case KIND_FAILURE_MODE:
        write_failure_modes(out, key);
        break;
    case KIND_CANDIDATES:
        fprintf(out, "an array of %u to %u candidates", key->min, key->max);
        break;
    case KIND_OBJECT:
        fputs("an object", out);
        break;
    }
    if (schema_optional(key))
        fprintf(out, ", or null for %s", key->none_text != NULL ? key->none_text : "none");
}

void words_keys(FILE *out, const struct schema_object *object)
{
    fprintf(out, "those of %s are ", object->title);
    for (size_t i = 0; i < object->count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", object->keys[i].name);
}
