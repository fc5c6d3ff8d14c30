/* What is wrong with a configuration, line by line. */
#include "config/loader.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct line {
    char *text;
    size_t size;
    FILE *out;
};

/* False, and noted, without memory: then there is no line to write to. */
static bool line_begin(struct loader *loader, struct line *line, enum har_code code)
{
    if (loader->code == HAR_OK)
        loader->code = code;
    line->out = open_memstream(&line->text, &line->size);
    if (line->out == NULL) {
        loader->failed = true;
        return false;
    }
    words_plain(line->out, loader->file);
    return true;
}

static bool line_begin_value(struct loader *loader, struct line *line, const struct place *place)
{
    if (!line_begin(loader, line, HAR_ERR_VALUE))
        return false;
    fputs(": ", line->out);
    if (place != NULL) {
        words_place(line->out, place);
        fputs(": ", line->out);
    }
    return true;
}

static bool add_line(struct config_report *report, char *text)
{
    char **lines = report->lines;
    /* Room is doubled whenever the count is a power of two. */
    if ((report->count & (report->count - 1)) == 0) {
        size_t room = report->count > 0 ? 2 * report->count : 1;
        lines = reallocarray(lines, room, sizeof *lines);
        if (lines == NULL)
            return false;
        report->lines = lines;
    }
    lines[report->count++] = text;
    return true;
}

static void line_end(struct loader *loader, struct line *line)
{
    bool whole = ferror(line->out) == 0;
    if (fclose(line->out) == 0 && whole && add_line(loader->report, line->text))
        return;
    free(line->text);
    loader->failed = true;
}

static __attribute__((format(printf, 3, 0))) void
line_end_with(struct loader *loader, struct line *line, const char *format, va_list args)
{
    vfprintf(line->out, format, args);
    line_end(loader, line);
}

void report_value(struct loader *loader, const struct place *place, const char *format, ...)
{
    struct line line;
    if (!line_begin_value(loader, &line, place))
        return;
    va_list args;
    va_start(args, format);
    line_end_with(loader, &line, format, args);
    va_end(args);
}

void report_found(struct loader *loader, const struct place *place, const json_t *found,
                  const char *format, ...)
{
    struct line line;
    if (!line_begin_value(loader, &line, place))
        return;
    fputs("found ", line.out);
    words_found(line.out, found);
    fputs("; allowed: ", line.out);
    va_list args;
    va_start(args, format);
    line_end_with(loader, &line, format, args);
    va_end(args);
}

void report_quoted(struct loader *loader, const struct place *place, const char *found,
                   const char *format, ...)
{
    struct line line;
    if (!line_begin_value(loader, &line, place))
        return;
    fputs("found ", line.out);
    words_quoted(line.out, found);
    fputs("; allowed: ", line.out);
    va_list args;
    va_start(args, format);
    line_end_with(loader, &line, format, args);
    va_end(args);
}

void report_row(struct loader *loader, const struct place *place, const struct schema_key *key,
                const json_t *found)
{
    struct line line;
    if (!line_begin_value(loader, &line, place))
        return;
    fputs("found ", line.out);
    words_found(line.out, found);
    fputs("; allowed: ", line.out);
    words_allowed(line.out, key);
    line_end(loader, &line);
}

void report_missing(struct loader *loader, const struct place *place, const struct schema_key *key)
{
    const struct place missing = {.parent = place, .key = key->name};
    struct line line;
    if (!line_begin_value(loader, &line, &missing))
        return;
    fputs("missing; allowed: ", line.out);
    words_allowed(line.out, key);
    if (key->fallback_text != NULL)
        fprintf(line.out, " (%s)", key->fallback_text);
    line_end(loader, &line);
}

void report_unknown(struct loader *loader, const struct place *place, enum schema_scope scope,
                    const char *name)
{
    const struct schema_object *here = schema_object(scope);
    const struct schema_object *elsewhere = schema_elsewhere(scope, name);
    const char *nearest = schema_nearest(scope, name);
    const struct place unknown = {.parent = place, .key = name};
    struct line line;
    if (!line_begin_value(loader, &line, &unknown))
        return;
    fputs("unknown key; ", line.out);
    if (nearest != NULL)
        fprintf(line.out, "did you mean \"%s\"?", nearest);
    else if (elsewhere != NULL)
        fprintf(line.out, "it is one of %s, not of %s", elsewhere->title, here->title);
    else
        words_keys(line.out, here);
    line_end(loader, &line);
}

void report_taken(struct loader *loader, const struct place *place, const char *name,
                  const char *first_file, const struct place *first_place)
{
    struct line line;
    if (!line_begin_value(loader, &line, place))
        return;
    words_quoted(line.out, name);
    fputs(" is defined already in ", line.out);
    words_plain(line.out, first_file);
    fputs(": ", line.out);
    words_place(line.out, first_place);
    line_end(loader, &line);
}

void report_errno(struct loader *loader, const char *what, int error)
{
    struct line line;
    if (!line_begin(loader, &line, HAR_ERR_IO))
        return;
    fprintf(line.out, ": %s: %s", what, strerror(error));
    line_end(loader, &line);
}

/* jansson speaks to programmers here and there. */
static const char *syntax_text(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a NUL character (\\u0000) is not allowed in a text";
    case json_error_stack_overflow:
        return "objects and arrays are nested too deep";
    case json_error_premature_end_of_input:
        return "the file ends too early";
    default:
        return error->text;
    }
}

void report_syntax(struct loader *loader, const json_error_t *error)
{
    struct line line;
    if (!line_begin(loader, &line, HAR_ERR_SYNTAX))
        return;
    fprintf(line.out, ":%d:%d: ", error->line, error->column);
    words_plain(line.out, syntax_text(error));
    if (json_error_code(error) == json_error_duplicate_key && strstr(error->text, "\"//") != NULL)
        fputs(" (comments of one object need different keys, such as \"// why\")", line.out);
    line_end(loader, &line);
}

void config_report_done(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->lines[i]);
    free(report->lines);
    *report = (struct config_report){0};
}
