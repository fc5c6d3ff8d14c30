/* Words for a person, made of whatever an answer holds: a newer hard may say more, and an older one
 * less. */
#include "har_config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/duration.h"
#include "harctl/harctl.h"

/* --- Values ------------------------------------------------------------------------------------
 */

const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool number_of(const json_t *object, const char *key, double *number)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        return false;
    *number = json_number_value(value);
    return true;
}

/* --- Texts -------------------------------------------------------------------------------------
 */

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("harctl: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

char *words(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return must(text);
}

/* Control bytes, and the C1 controls of UTF-8. */
void print_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f)
            fprintf(out, "\\x%02x", *at);
        else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
            fprintf(out, "\\x%02x", *++at);
        else
            putc(*at, out);
    }
}

/* --- Times -------------------------------------------------------------------------------------
 */

char *age_words(const json_t *object, const char *key)
{
    double seconds;
    uint64_t us;
    char text[DURATION_TEXT_MAX];
    if (!number_of(object, key, &seconds) || !duration_from_seconds(seconds, &us))
        return words("-");
    return words("%s", duration_format_age(us, text));
}

char *latency_words(const json_t *object, const char *key)
{
    double number;
    uint64_t us;
    char text[DURATION_TEXT_MAX];
    if (!number_of(object, key, &number) ||
        !duration_from_seconds((number < 0 ? -number : number) / 1e6, &us))
        return words("-");
    return words("%s", duration_format_latency(us, text));
}

/* --- Parts of a sentence -----------------------------------------------------------------------
 */

char *address_words(const json_t *object)
{
    const char *address = text_of(object, "address");
    json_int_t port = json_integer_value(json_object_get(object, "port"));
    if (address == NULL)
        return words("-");
    if (port == 0)
        return words("%s", address);
    return words(strchr(address, ':') != NULL ? "[%s]:%" JSON_INTEGER_FORMAT
                                              : "%s:%" JSON_INTEGER_FORMAT,
                 address, port);
}

char *answer_words(const json_t *host)
{
    char *all = NULL;
    size_t i;
    json_t *address;
    json_array_foreach(json_object_get(host, "answer"), i, address)
    {
        if (!json_is_string(address))
            continue;
        char *longer = words("%s%s%s", all != NULL ? all : "", all != NULL ? ", " : "",
                             json_string_value(address));
        free(all);
        all = longer;
    }
    return all != NULL ? all : words("nothing");
}

const char *override_word(const json_t *override)
{
    const char *kind = text_of(override, "kind");
    if (kind == NULL)
        return NULL;
    if (strcmp(kind, "drain") == 0)
        return "drained";
    return strcmp(kind, "up") == 0 ? "forced up" : "forced down";
}

/* Local time so many seconds from now: "03:41", on another day "2026-11-25 03:41". */
static char *until_words(double seconds)
{
    time_t now = time(NULL), then = now + (time_t)seconds;
    struct tm today, day;
    char text[32] = "";
    if (localtime_r(&now, &today) == NULL || localtime_r(&then, &day) == NULL)
        return words("then");
    bool same = today.tm_yday == day.tm_yday && today.tm_year == day.tm_year;
    strftime(text, sizeof text, same ? "%H:%M" : "%Y-%m-%d %H:%M", &day);
    return words("%s", text);
}

static char *term_words(const json_t *override, bool is_new)
{
    double seconds;
    uint64_t us;
    char text[DURATION_TEXT_MAX];
    if (!number_of(override, "expires_s", &seconds) || !duration_from_seconds(seconds, &us))
        return NULL;
    if (!is_new)
        return words(" for another %s", duration_format_age(us, text));
    char *until = until_words(seconds);
    char *term = words(" for %s, until %s", duration_format(us, text), until);
    free(until);
    return term;
}

char *override_end_words(const json_t *override, const char *host, const char *candidate,
                         bool is_new)
{
    const char *reason = text_of(override, "reason");
    char *term = term_words(override, is_new);
    if (term == NULL)
        term = words(" until `harctl auto %s %s`", host, candidate);
    char *text = reason != NULL ? words("%s (%s)", term, reason) : words("%s", term);
    free(term);
    return text;
}

/* --- Tables ------------------------------------------------------------------------------------
 */

void table_add(struct table *table, char *cell)
{
    if (table->count == table->room) {
        table->room = 2 * table->room + 64;
        table->cells = must(realloc(table->cells, table->room * sizeof(char *)));
    }
    table->cells[table->count++] = cell;
}

/* As a terminal shows it, near enough: a character of UTF-8 is one wide. */
static size_t width_of(const char *cell)
{
    size_t width = 0;
    for (const unsigned char *at = (const unsigned char *)cell; *at != '\0'; at++)
        width += *at < ' ' || *at == 0x7f ? 4 : (*at & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (size_t i = column; i < table->count; i += table->columns) {
        size_t width = width_of(table->cells[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_row(const struct table *table, const size_t *widths, size_t row, FILE *out)
{
    size_t blanks = 0; /* due before the next cell that is not empty */
    for (size_t column = 0; column < table->columns; column++) {
        const char *cell = table->cells[row * table->columns + column];
        size_t padding = widths[column] - width_of(cell);
        bool right = (table->right >> column & 1) != 0;
        if (cell[0] != '\0') {
            fprintf(out, "%*s", (int)(blanks + (right ? padding : 0)), "");
            print_text(out, cell);
            blanks = right ? 0 : padding;
        } else {
            blanks += padding;
        }
        blanks += 2;
    }
    putc('\n', out);
}

void table_print(struct table *table, FILE *out)
{
    size_t *widths = must(calloc(table->columns, sizeof *widths));
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = column_width(table, column);
    for (size_t row = 0; row < table->count / table->columns; row++)
        print_row(table, widths, row, out);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(widths);
    *table = (struct table){.columns = table->columns};
}
