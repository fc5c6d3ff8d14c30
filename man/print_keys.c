/* Fills in a manual page: copies standard input to standard output, and in place of each line
 * "@keys SCOPE@" writes the keys of that scope as config/schema.c has them, in mdoc(7). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/duration.h"
#include "config/schema.h"

static void print_duration(const struct schema_key *key, uint32_t value)
{
    char text[DURATION_TEXT_MAX];
    duration_format((uint64_t)value * key->unit, text);
    printf("%s", text);
}

static void print_words(const struct schema_word *words)
{
    for (const struct schema_word *word = words; word->text != NULL; word++)
        printf("%s\n.Li %s%s", word == words ? "One of" : "", word->text,
               word[1].text != NULL ? " ," : " .\n");
}

static void print_bounds(const struct schema_key *key)
{
    switch (key->kind) {
    case KIND_DURATION:
        print_duration(key, key->min);
        printf(" to ");
        print_duration(key, key->max);
        printf(".\n");
        return;
    case KIND_NUMBER:
    case KIND_RATIO:
    case KIND_PORT:
        printf("%u to %u.\n", key->min, key->max);
        return;
    case KIND_WORD:
        print_words(key->words);
        return;
    case KIND_TEXT:
    case KIND_LABEL:
    case KIND_URL_PATH:
    case KIND_REGEX:
    case KIND_PATH:
        printf("At most %u bytes.\n", key->max);
        return;
    case KIND_NAMES:
    case KIND_UPSTREAMS:
    case KIND_HEADERS:
    case KIND_STATUSES:
    case KIND_CANDIDATES:
        printf("%u to %u of them.\n", key->min, key->max);
        return;
    case KIND_SWITCH:
    case KIND_NAME:
    case KIND_FILE:
    case KIND_SERVER:
    case KIND_FAILURE_MODE:
    case KIND_OBJECT:
        return;
    }
}

/* Which checks have the key, unless all that ask anything of a network do. */
static void print_types(unsigned types)
{
    const unsigned network =
        1U << CHECK_HTTP | 1U << CHECK_HTTPS | 1U << CHECK_TCP | 1U << CHECK_TLS;
    if ((types & network) == network)
        return;
    const char *before = "For";
    for (int type = CHECK_HTTP; type <= CHECK_TLS; type++) {
        if (types & 1U << type)
            printf("%s %s", before, check_type_text((enum check_type)type));
        if (types & 1U << type)
            before = ",";
    }
    printf(".\n");
}

/* JSON as it is: a plain quote would group the arguments of the macro. */
static void print_literal(const char *json)
{
    printf(".Li ");
    for (; *json != '\0'; json++) {
        if (*json == '"')
            fputs("\\(dq", stdout);
        else
            putchar(*json);
    }
    printf(" .\n");
}

static void print_default(const struct schema_key *key)
{
    if (key->required) {
        printf("Required.\n");
    } else if (key->fallback_text != NULL) {
        printf("Default: %s.\n", key->fallback_text);
    } else if (key->none_text != NULL) {
        printf("Default:\n.Li null ,\nwhich means %s.\n", key->none_text);
    } else if (schema_optional(key)) {
        printf("Not set by default.\n");
    } else {
        printf("Default:\n");
        print_literal(key->fallback);
    }
}

static void print_keys(enum schema_scope scope)
{
    const struct schema_object *object = schema_object(scope);
    printf(".Bl -tag -width Ds\n");
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_key *key = &object->keys[i];
        printf(".It Cm %s\n%s.\n", key->name, key->help);
        if (scope == SCOPE_CHECK)
            print_types(key->types);
        print_bounds(key);
        print_default(key);
    }
    printf(".El\n");
}

static bool print_scope(const char *name)
{
    static const char *const names[SCOPE_COUNT] = {[SCOPE_TOP] = "top",
                                                   [SCOPE_HOST] = "host",
                                                   [SCOPE_CANDIDATE] = "candidate",
                                                   [SCOPE_CHECK] = "check",
                                                   [SCOPE_TLS] = "tls"};
    for (unsigned scope = 0; scope < SCOPE_COUNT; scope++) {
        if (strcmp(names[scope], name) == 0) {
            print_keys((enum schema_scope)scope);
            return true;
        }
    }
    fprintf(stderr, "print_keys: unknown scope \"%s\"\n", name);
    return false;
}

int main(void)
{
    char line[1024], name[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "@keys %31[a-z]@", name) != 1)
            fputs(line, stdout);
        else if (!print_scope(name))
            return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
