#include "config/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/duration.h"

bool value_refuse(const struct value *value)
{
    report_row(value->loader, value->place, value->key, value->json);
    return false;
}

static void *target(const struct value *value)
{
    return (char *)value->object + value->key->offset;
}

/* --- Numbers --- */

static bool read_duration(const struct value *value)
{
    const struct schema_key *key = value->key;
    uint64_t us;
    bool read = json_is_string(value->json)
                    ? duration_parse(json_string_value(value->json), &us)
                    : json_is_number(value->json) &&
                          duration_from_seconds(json_number_value(value->json), &us);
    if (!read || us % key->unit != 0 || us / key->unit < key->min || us / key->unit > key->max)
        return value_refuse(value);
    *(uint32_t *)target(value) = (uint32_t)(us / key->unit);
    return true;
}

/* 5 and 5.0 are the same number, in JSON Schema too. */
static bool read_whole(const struct value *value, uint32_t *out)
{
    double number = json_number_value(value->json);
    if (!json_is_number(value->json) || !(number >= value->key->min && number <= value->key->max) ||
        number != (double)(uint32_t)number)
        return value_refuse(value);
    *out = (uint32_t)number;
    return true;
}

static bool read_number(const struct value *value)
{
    uint32_t number;
    if (!read_whole(value, &number))
        return false;
    *(unsigned *)target(value) = number;
    return true;
}

/* Rounded as a duration is. What is left has so few digits that they are also its shortest form. */
static bool read_ratio(const struct value *value)
{
    double number = json_number_value(value->json);
    if (!json_is_number(value->json) || !(number >= value->key->min && number <= value->key->max))
        return value_refuse(value);
    *(double *)target(value) = (double)(uint32_t)(number * 1e6 + 0.5) / 1e6;
    return true;
}

static bool read_port(const struct value *value)
{
    uint32_t number;
    if (!read_whole(value, &number))
        return false;
    *(uint16_t *)target(value) = (uint16_t)number;
    return true;
}

/* --- Words and texts --- */

static bool read_switch(const struct value *value)
{
    if (!json_is_boolean(value->json))
        return value_refuse(value);
    *(bool *)target(value) = json_is_true(value->json);
    return true;
}

static bool read_word(const struct value *value)
{
    const char *text = json_string_value(value->json);
    const struct schema_word *word = value->key->words;
    while (word->text != NULL && (text == NULL || strcmp(word->text, text) != 0))
        word++;
    if (word->text == NULL)
        return value_refuse(value);
    /* All enums of config.h are as wide as an unsigned. */
    *(unsigned *)target(value) = (unsigned)word->value;
    return true;
}

_Static_assert(sizeof(enum check_type) == sizeof(unsigned), "read_word stores an unsigned");

static bool store_text(const struct value *value, const char *text)
{
    char *copy = memory_text(value->loader->memory, text, strlen(text));
    *(char **)target(value) = copy;
    return copy != NULL;
}

/* The text, within the row's bounds; or NULL, and refused. */
static const char *bounded_text(const struct value *value)
{
    const char *text = json_string_value(value->json);
    size_t length = json_string_length(value->json);
    if (text != NULL && length >= value->key->min && length <= value->key->max)
        return text;
    value_refuse(value);
    return NULL;
}

static bool read_text(const struct value *value)
{
    const char *text = bounded_text(value);
    return text != NULL && store_text(value, text);
}

static bool has_blank_or_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

static bool read_label(const struct value *value)
{
    const char *text = bounded_text(value);
    if (text == NULL)
        return false;
    return has_blank_or_control(text) ? value_refuse(value) : store_text(value, text);
}

static bool read_url_path(const struct value *value)
{
    const char *text = bounded_text(value);
    if (text == NULL)
        return false;
    if (text[0] != '/' || has_blank_or_control(text))
        return value_refuse(value);
    return store_text(value, text);
}

/* GNU's addition to the extended expressions of POSIX. With one a server could choose a body that
 * takes the daemon hours to match. */
static bool has_back_reference(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' && *++text >= '1' && *text <= '9')
            return true;
        if (*text == '\0')
            return false;
    }
    return false;
}

static bool read_regex(const struct value *value)
{
    struct config_check *check = value->object;
    const char *text = bounded_text(value);
    if (text == NULL)
        return false;
    if (has_back_reference(text)) {
        report_found(value->loader, value->place, value->json,
                     "a POSIX extended expression, which has no back-references");
        return false;
    }
    int problem = memory_regcomp(value->loader->memory, text, &check->body_regex_compiled);
    if (problem == REG_ESPACE) {
        value->loader->memory->failed = true;
        return false;
    }
    if (problem != 0) {
        char why[128];
        regerror(problem, NULL, why, sizeof why);
        report_found(value->loader, value->place, value->json, "a POSIX extended expression (%s)",
                     why);
        return false;
    }
    return store_text(value, text);
}

/* --- Files --- */

/* The bound is that of the whole: a socket's path has few bytes. */
static bool store_path(const struct value *value, const char *text)
{
    if (text[0] == '/')
        return store_text(value, text);
    const char *folder = value->loader->folder;
    size_t folder_length = strlen(folder), length = strlen(text);
    if (folder_length + 1 + length > value->key->max) {
        report_found(value->loader, value->place, value->json,
                     "the path of a file, at most %u bytes with the folder of the configuration",
                     value->key->max);
        return false;
    }
    char *path = memory_take(value->loader->memory, folder_length + 1 + length + 1, 1);
    if (path == NULL)
        return false;
    memcpy(path, folder, folder_length);
    path[folder_length] = '/';
    memcpy(path + folder_length + 1, text, length);
    *(char **)target(value) = path;
    return true;
}

static bool read_path(const struct value *value)
{
    const char *text = bounded_text(value);
    if (text == NULL)
        return false;
    return text[strlen(text) - 1] == '/' ? value_refuse(value) : store_path(value, text);
}

/* Why it is no file that can be read, or NULL. It is opened, not asked for its mode: only that
 * tells what access lists and mounts permit. */
static const char *file_problem(const char *path)
{
    struct stat status;
    const char *problem = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) < 0)
        problem = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        problem = S_ISDIR(status.st_mode) ? strerror(EISDIR) : "Not a regular file";
    close(fd);
    return problem;
}

static bool read_file(const struct value *value)
{
    if (!read_path(value))
        return false;
    const char *problem = file_problem(*(char **)target(value));
    if (problem == NULL)
        return true;
    report_found(value->loader, value->place, value->json, "a file that can be read (%s)", problem);
    return false;
}

/* --- Names --- */

static bool read_name(const struct value *value)
{
    const char *text = json_string_value(value->json);
    if (text == NULL)
        return value_refuse(value);
    return value_read_name(value->loader, value->place, text, target(value));
}

/* --- Any of them --- */

/* null, which undoes what was inherited. */
static bool read_none(const struct value *value)
{
    struct config_check *check = value->object;
    struct config *config = value->object;
    switch (value->key->kind) {
    case KIND_DURATION:
        *(uint32_t *)target(value) = CONFIG_NO_LIMIT;
        return true;
    case KIND_REGEX:
        check->body_regex_compiled = NULL;
        check->body_regex = NULL;
        return true;
    case KIND_UPSTREAMS:
        config->upstreams = NULL;
        config->upstream_count = 0;
        return true;
    default:
        *(char **)target(value) = NULL;
        return true;
    }
}

bool value_read(const struct value *value)
{
    if (json_is_null(value->json) && schema_optional(value->key))
        return read_none(value);
    switch (value->key->kind) {
    case KIND_DURATION:
        return read_duration(value);
    case KIND_NUMBER:
        return read_number(value);
    case KIND_RATIO:
        return read_ratio(value);
    case KIND_PORT:
        return read_port(value);
    case KIND_SWITCH:
        return read_switch(value);
    case KIND_WORD:
        return read_word(value);
    case KIND_TEXT:
        return read_text(value);
    case KIND_LABEL:
        return read_label(value);
    case KIND_URL_PATH:
        return read_url_path(value);
    case KIND_REGEX:
        return read_regex(value);
    case KIND_NAME:
        return read_name(value);
    case KIND_FILE:
        return read_file(value);
    case KIND_PATH:
        return read_path(value);
    case KIND_SERVER:
        return value_read_server(value, value->object);
    case KIND_UPSTREAMS:
        return value_read_upstreams(value, value->object);
    case KIND_NAMES:
        return value_read_names(value, value->object);
    case KIND_HEADERS:
        return value_read_headers(value, value->object);
    case KIND_STATUSES:
        return value_read_statuses(value, value->object);
    case KIND_FAILURE_MODE:
        return value_read_failure_mode(value, value->object);
    case KIND_CANDIDATES:
    case KIND_OBJECT:
        break; /* read by functions of their own */
    }
    return false;
}
