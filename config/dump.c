/* The configuration as JSON, row by row. Every key is written, so that nothing is inherited when
 * it is read again. */
#include "config/config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config/duration.h"
#include "config/schema.h"

/* jansson's setters and appenders take NULL for a value that could not be made, and fail. */

static json_t *text_or_none(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *dump_duration(const struct schema_key *key, uint32_t value)
{
    char text[DURATION_TEXT_MAX];
    if (schema_optional(key) && value == CONFIG_NO_LIMIT)
        return json_null();
    return json_string(duration_format((uint64_t)value * key->unit, text));
}

/* A double keeps as many decimal digits, whatever they are: a KIND_RATIO, which has fewer, is
 * written as it was read, 0.2 and not 0.20000000000000001. */
#define DUMP_DIGITS 15

static json_t *dump_ratio(double ratio)
{
    return ratio == 0 || ratio == 1 ? json_integer((json_int_t)ratio) : json_real(ratio);
}

static json_t *dump_address(const struct har_address *address)
{
    char text[HAR_ADDRESS_TEXT_MAX];
    return json_string(har_address_format(address, text));
}

/* Appends to *array; on failure it is gone, and NULL. */
static void append(json_t **array, json_t *element)
{
    if (json_array_append_new(*array, element) == 0)
        return;
    json_decref(*array);
    *array = NULL;
}

/* The same for a member of an object. */
static void set(json_t **object, const char *name, json_t *value)
{
    if (json_object_set_new(*object, name, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

static json_t *dump_server(const struct config_candidate *candidate)
{
    return candidate->host_name != NULL ? json_string(candidate->host_name)
                                        : dump_address(&candidate->address);
}

static json_t *dump_upstreams(const struct config *config)
{
    if (config->upstreams == NULL)
        return json_null();
    json_t *upstreams = json_array();
    for (size_t i = 0; i < config->upstream_count; i++) {
        const struct config_upstream *upstream = &config->upstreams[i];
        char text[HAR_ADDRESS_PORT_TEXT_MAX];
        append(&upstreams,
               json_string(har_address_port_format(&upstream->address, upstream->port, text)));
    }
    return upstreams;
}

static json_t *dump_names(const struct config_host *host)
{
    json_t *names = json_array();
    for (size_t i = 0; i < host->alias_count; i++)
        append(&names, json_string(host->aliases[i]));
    return names;
}

static json_t *dump_headers(const struct config_check *check)
{
    json_t *headers = json_object();
    for (size_t i = 0; i < check->header_count; i++) {
        const char *colon = strchr(check->headers[i], ':');
        size_t length = (size_t)(colon - check->headers[i]);
        char name[257];
        snprintf(name, sizeof name, "%.*s", (int)length, check->headers[i]);
        set(&headers, name, json_string(colon + 2));
    }
    return headers;
}

static json_t *dump_status(const struct config_status_range *range)
{
    if (range->low == range->high)
        return json_integer(range->low);
    return json_sprintf("%u-%u", range->low, range->high);
}

static json_t *dump_statuses(const struct config_check *check)
{
    if (check->status_count == 1)
        return dump_status(&check->statuses[0]);
    json_t *statuses = json_array();
    for (size_t i = 0; i < check->status_count; i++)
        append(&statuses, dump_status(&check->statuses[i]));
    return statuses;
}

static json_t *dump_failure_mode(const struct schema_key *key, const struct config_host *host)
{
    if (host->failure_mode != FAILURE_ADDRESSES)
        return json_string(schema_word(key->words, (int)host->failure_mode));
    json_t *addresses = json_array();
    for (size_t i = 0; i < host->failure_address_count; i++)
        append(&addresses, dump_address(&host->failure_addresses[i]));
    return addresses;
}

static json_t *dump_value(const struct schema_key *key, const void *object)
{
    const void *value = (const char *)object + key->offset;
    switch (key->kind) {
    case KIND_DURATION:
        return dump_duration(key, *(const uint32_t *)value);
    case KIND_NUMBER:
        return json_integer(*(const unsigned *)value);
    case KIND_RATIO:
        return dump_ratio(*(const double *)value);
    case KIND_PORT:
        return json_integer(*(const uint16_t *)value);
    case KIND_SWITCH:
        return json_boolean(*(const bool *)value);
    case KIND_WORD:
        return json_string(schema_word(key->words, *(const int *)value));
    case KIND_TEXT:
    case KIND_LABEL:
    case KIND_URL_PATH:
    case KIND_REGEX:
    case KIND_NAME:
    case KIND_FILE:
    case KIND_PATH:
        return text_or_none(*(char *const *)value);
    case KIND_SERVER:
        return dump_server(object);
    case KIND_UPSTREAMS:
        return dump_upstreams(object);
    case KIND_NAMES:
        return dump_names(object);
    case KIND_HEADERS:
        return dump_headers(object);
    case KIND_STATUSES:
        return dump_statuses(object);
    case KIND_FAILURE_MODE:
        return dump_failure_mode(key, object);
    case KIND_CANDIDATES:
    case KIND_OBJECT:
        break; /* written by functions of their own */
    }
    return NULL;
}

static json_t *dump_tls(const struct config_check *check)
{
    const struct schema_object *rows = schema_object(SCOPE_TLS);
    json_t *json = json_object();
    for (size_t i = 0; i < rows->count; i++)
        set(&json, rows->keys[i].name, dump_value(&rows->keys[i], check));
    return json;
}

static json_t *dump_check(const struct config_check *check)
{
    const struct schema_object *rows = schema_object(SCOPE_CHECK);
    json_t *json = json_object();
    for (size_t i = 0; i < rows->count; i++) {
        const struct schema_key *key = &rows->keys[i];
        if ((key->types & 1U << check->type) == 0)
            continue;
        set(&json, key->name, i == CHECK_KEY_TLS ? dump_tls(check) : dump_value(key, check));
    }
    return json;
}

static json_t *dump_candidate(const struct config_candidate *candidate,
                              const struct config_check *host_check)
{
    const struct schema_object *rows = schema_object(SCOPE_CANDIDATE);
    json_t *json = json_object();
    for (size_t i = 0; i < rows->count; i++) {
        if (i != CANDIDATE_CHECK)
            set(&json, rows->keys[i].name, dump_value(&rows->keys[i], candidate));
        else if (candidate->check != host_check)
            set(&json, rows->keys[i].name, dump_check(candidate->check));
    }
    return json;
}

static json_t *dump_candidates(const struct config_host *host)
{
    json_t *json = json_array();
    for (size_t i = 0; i < host->candidate_count; i++)
        append(&json, dump_candidate(&host->candidates[i], host->candidates[0].check));
    return json;
}

/* The first candidate's check stands for the host; a candidate with another one has it in full. */
static json_t *dump_host(const struct config_host *host)
{
    const struct schema_object *rows = schema_object(SCOPE_HOST);
    json_t *json = json_object();
    for (size_t i = 0; i < rows->count; i++) {
        const struct schema_key *key = &rows->keys[i];
        set(&json, key->name,
            i == HOST_CHECK        ? dump_check(host->candidates[0].check)
            : i == HOST_CANDIDATES ? dump_candidates(host)
                                   : dump_value(key, host));
    }
    return json;
}

static json_t *dump_hosts(const struct config *config)
{
    json_t *json = json_object();
    for (size_t i = 0; i < config->host_count; i++)
        set(&json, config->hosts[i].name, dump_host(&config->hosts[i]));
    return json;
}

/* No "defaults": every host has them written out. */
char *config_dump(const struct config *config)
{
    const struct schema_object *rows = schema_object(SCOPE_TOP);
    json_t *json = json_object();
    for (size_t i = 0; i < rows->count; i++) {
        if (i == TOP_HOSTS)
            set(&json, rows->keys[i].name, dump_hosts(config));
        else if (i != TOP_DEFAULTS)
            set(&json, rows->keys[i].name, dump_value(&rows->keys[i], config));
    }
    char *text =
        json != NULL ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(DUMP_DIGITS)) : NULL;
    json_decref(json);
    return text;
}
