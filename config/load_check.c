#include "config/loader.h"

#include <string.h>

#include "config/duration.h"

static const struct schema_key *row(enum check_key key)
{
    return &schema_object(SCOPE_CHECK)->keys[key];
}

static bool applies(enum check_key key, enum check_type type)
{
    return (row(key)->types & 1U << type) != 0;
}

#define BIT(key) (UINT32_C(1) << (key)) /* in a set of rows */

/* --- One layer over another --- */

/* The type comes first: it decides what else may be given. A port belongs to a type: whoever
 * changes the type starts again from that type's own port. */
static void overlay_type(struct loader *loader, const struct place *place, const json_t *json,
                         struct check_draft *draft)
{
    enum check_type inherited = draft->check.type;
    const struct place here = {.parent = place, .key = row(CHECK_KEY_TYPE)->name};
    const struct value value = {loader, &here, row(CHECK_KEY_TYPE), json, &draft->check};
    draft->type_unknown = !value_read(&value);
    if (draft->check.type != inherited)
        draft->check.port = 0;
}

static void write_types(char *text, size_t size, unsigned types)
{
    size_t length = 0;
    text[0] = '\0';
    for (int type = CHECK_HTTP; type <= CHECK_NONE; type++) {
        if ((types & 1U << type) != 0 && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "",
                                       check_type_text((enum check_type)type));
    }
}

/* Drops and reports what is written here but means nothing to a check of this type. */
static void drop_strangers(struct loader *loader, const struct place *place, enum check_type type,
                           const json_t *values[SCHEMA_KEYS_MAX])
{
    for (size_t i = 0; i < schema_object(SCOPE_CHECK)->count; i++) {
        if (values[i] == NULL || applies((enum check_key)i, type))
            continue;
        char types[64];
        write_types(types, sizeof types, row((enum check_key)i)->types);
        const struct place here = {.parent = place, .key = row((enum check_key)i)->name};
        report_value(loader, &here, "a check of type \"%s\" has no such key; allowed for: %s",
                     check_type_text(type), types);
        values[i] = NULL;
    }
}

static void overlay_tls(struct loader *loader, const struct place *place, const json_t *json,
                        struct config_check *check)
{
    const struct place here = {.parent = place, .key = row(CHECK_KEY_TLS)->name};
    const json_t *values[SCHEMA_KEYS_MAX];
    if (!object_sort(loader, &here, SCOPE_TLS, json, values))
        return;
    struct object_rows done = object_read(loader, &here, SCOPE_TLS, values, check);
    const uint32_t pair = BIT(TLS_CERT_FILE) | BIT(TLS_KEY_FILE);
    if ((done.read & pair) == 0 || (done.refused & pair) != 0)
        return;
    const struct place key = {.parent = &here, .key = "key_file"};
    if (check->key_file != NULL && check->cert_file == NULL)
        report_value(loader, &key, "a key without a certificate: give cert_file too");
}

/* A rule between keys is looked at where one of them is given, and not where it is only inherited:
 * it would be reported again for every host. */
static void check_intervals(struct loader *loader, const struct place *place,
                            struct object_rows done, const struct config_check *check)
{
    const uint32_t pair = BIT(CHECK_KEY_INTERVAL) | BIT(CHECK_KEY_FAST_INTERVAL);
    if ((done.read & pair) == 0 || (done.refused & pair) != 0 ||
        check->fast_interval_ms <= check->interval_ms)
        return;
    char fast[DURATION_TEXT_MAX], slow[DURATION_TEXT_MAX];
    duration_format((uint64_t)check->fast_interval_ms * UNIT_MS, fast);
    duration_format((uint64_t)check->interval_ms * UNIT_MS, slow);
    bool inherited = (done.read & BIT(CHECK_KEY_FAST_INTERVAL)) == 0;
    const struct place here = {
        .parent = place,
        .key = row(inherited ? CHECK_KEY_INTERVAL : CHECK_KEY_FAST_INTERVAL)->name};
    if (inherited)
        report_value(loader, &here, "found %s; allowed: at least the inherited fast_interval, %s",
                     slow, fast);
    else
        report_value(loader, &here, "found %s; allowed: at most the interval, %s", fast, slow);
}

static void check_method(struct loader *loader, const struct place *place, struct object_rows done,
                         const struct config_check *check)
{
    const uint32_t rows = BIT(CHECK_KEY_METHOD) | BIT(CHECK_KEY_BODY) | BIT(CHECK_KEY_BODY_REGEX);
    if ((done.read & rows) == 0 || check->method != METHOD_HEAD ||
        (check->body == NULL && check->body_regex == NULL))
        return;
    const struct place here = {.parent = place, .key = row(CHECK_KEY_METHOD)->name};
    report_value(loader, &here, "found \"HEAD\"; allowed: \"GET\", to look at the %s",
                 check->body != NULL ? "body" : "body_regex");
}

void check_overlay(struct loader *loader, const struct place *place, const json_t *json,
                   struct check_draft *draft)
{
    const json_t *values[SCHEMA_KEYS_MAX];
    if (!object_sort(loader, place, SCOPE_CHECK, json, values))
        return;
    if (values[CHECK_KEY_TYPE] != NULL)
        overlay_type(loader, place, values[CHECK_KEY_TYPE], draft);
    values[CHECK_KEY_TYPE] = NULL;
    if (!draft->type_unknown)
        drop_strangers(loader, place, draft->check.type, values);
    struct object_rows done = object_read(loader, place, SCOPE_CHECK, values, &draft->check);
    if (values[CHECK_KEY_TLS] != NULL)
        overlay_tls(loader, place, values[CHECK_KEY_TLS], &draft->check);
    check_intervals(loader, place, done, &draft->check);
    check_method(loader, place, done, &draft->check);
}

/* --- A whole check --- */

static uint16_t default_port(enum check_type type)
{
    switch (type) {
    case CHECK_HTTP:
        return 80;
    case CHECK_HTTPS:
        return 443;
    case CHECK_TCP:
    case CHECK_TLS:
    case CHECK_NONE:
        break;
    }
    return 0;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What was inherited and means nothing to this type is gone: two checks that do the same are the
 * same, and a dump shows no key that would be refused. */
static void forget_strangers(struct config_check *check, const struct config_check *plain)
{
    enum check_type type = check->type;
    if (!applies(CHECK_KEY_INTERVAL, type)) {
        *check = *plain;
        check->type = type;
        check->port = 0;
    }
    if (!applies(CHECK_KEY_HOST, type))
        check->host = NULL;
    if (!applies(CHECK_KEY_PATH, type)) {
        check->path = check->body = check->body_regex = NULL;
        check->method = METHOD_GET;
        check->headers = NULL;
        check->header_count = 0;
        check->statuses = NULL;
        check->status_count = 0;
        check->body_regex_compiled = NULL;
    }
    if (!applies(CHECK_KEY_TLS, type)) {
        check->tls_verify = false;
        check->ca_file = check->cert_file = check->key_file = NULL;
    }
    if (!applies(CHECK_KEY_SEND, type))
        check->send = check->expect = NULL;
}

static struct config_check *add_check(struct loader *loader)
{
    struct loaded_check *entry = memory_take(loader->scratch, 1, sizeof *entry);
    struct config_check *check = memory_take(loader->memory, 1, sizeof *check);
    if (entry == NULL || check == NULL)
        return NULL;
    entry->check = check;
    entry->next = loader->checks;
    loader->checks = entry;
    loader->config->check_count++;
    return check;
}

const struct config_check *check_finish(struct loader *loader, const struct place *place,
                                        const struct check_draft *draft, char *host)
{
    struct config_check *check = add_check(loader);
    if (check == NULL)
        return NULL;
    *check = draft->check;
    forget_strangers(check, &loader->plain);
    if (check->host == NULL)
        check->host = host;
    if (check->port == 0)
        check->port = default_port(check->type);
    if (check->port == 0 && applies(CHECK_KEY_PORT, check->type) && !draft->type_unknown)
        report_missing(loader, place, row(CHECK_KEY_PORT));
    if (check->fast_interval_ms == 0)
        check->fast_interval_ms = smaller(check->interval_ms, 1000);
    if (check->timeout_ms == 0)
        check->timeout_ms = smaller(check->interval_ms, 3000);
    return check;
}
