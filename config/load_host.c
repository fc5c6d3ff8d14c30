#include "config/loader.h"

#include <string.h>

/* A host while its candidates are read. */
struct reading {
    struct loader *loader;
    struct host_draft draft;
    struct place check_place;         /* where its "check" is, or would be */
    const struct config_check *check; /* what candidates without one of their own share */
    bool finished;                    /* check is made, if only to fail */
};

static const struct schema_key *row(enum schema_scope scope, unsigned key)
{
    return &schema_object(scope)->keys[key];
}

/* --- Candidates --- */

/* Made only when a candidate needs it: a check without a port is no error in a host whose
 * candidates each give one. */
static const struct config_check *host_check(struct reading *reading)
{
    if (!reading->finished)
        reading->check = check_finish(reading->loader, &reading->check_place, &reading->draft.check,
                                      reading->draft.host.name);
    reading->finished = true;
    return reading->check;
}

static const struct config_check *candidate_check(struct reading *reading,
                                                  const struct place *place, const json_t *json)
{
    if (json == NULL)
        return host_check(reading);
    const struct place here = {.parent = place, .key = row(SCOPE_CANDIDATE, CANDIDATE_CHECK)->name};
    struct check_draft draft = reading->draft.check;
    check_overlay(reading->loader, &here, json, &draft);
    return check_finish(reading->loader, &here, &draft, reading->draft.host.name);
}

static bool read_candidate_object(struct reading *reading, const struct place *place,
                                  const json_t *json, struct config_candidate *candidate)
{
    struct loader *loader = reading->loader;
    const json_t *values[SCHEMA_KEYS_MAX];
    if (!object_sort(loader, place, SCOPE_CANDIDATE, json, values))
        return false;
    if (values[CANDIDATE_ADDRESS] == NULL)
        report_missing(loader, place, row(SCOPE_CANDIDATE, CANDIDATE_ADDRESS));
    struct object_rows done = object_read(loader, place, SCOPE_CANDIDATE, values, candidate);
    candidate->check = candidate_check(reading, place, values[CANDIDATE_CHECK]);
    return (done.read & UINT32_C(1) << CANDIDATE_ADDRESS) != 0;
}

static bool read_candidate(struct reading *reading, const struct place *place, const json_t *json,
                           struct config_candidate *candidate)
{
    if (json_is_object(json))
        return read_candidate_object(reading, place, json, candidate);
    candidate->check = host_check(reading);
    return value_read_address(reading->loader, place, json,
                              json_is_string(json)
                                  ? "an IPv4 or IPv6 address (no host name, no port)"
                                  : "an IPv4 or IPv6 address, or an object that has one",
                              &candidate->address);
}

/* Has it a name that nobody else may have? A plain address is not one: the same server may be
 * checked on another port. */
static bool has_own_name(const struct config_candidate *candidate)
{
    char text[HAR_ADDRESS_TEXT_MAX];
    return candidate->name != NULL &&
           strcmp(candidate->name, har_address_format(&candidate->address, text)) != 0;
}

static bool same_endpoint(const struct config_candidate *a, const struct config_candidate *b)
{
    return a->check != NULL && b->check != NULL && a->check->port == b->check->port &&
           har_address_equal(&a->address, &b->address);
}

/* One server twice, or two under one name. Each is compared with all before it: there are at most
 * CONFIG_CANDIDATES_MAX. */
static void check_twins(struct loader *loader, const struct place *place,
                        const struct config_candidate *candidates, size_t index)
{
    const struct config_candidate *candidate = &candidates[index];
    bool named = has_own_name(candidate);
    for (size_t i = 0; i < index; i++) {
        const struct config_candidate *other = &candidates[i];
        if (same_endpoint(other, candidate)) {
            report_value(loader, place, "the same address and check port as candidates[%zu]", i);
            return;
        }
        if (named && other->name != NULL && strcmp(other->name, candidate->name) == 0) {
            report_value(loader, place, "the same name as candidates[%zu]", i);
            return;
        }
    }
}

/* Names those that were given none. After all else, since two ports of one server may share it. */
static void name_candidates(struct loader *loader, struct config_host *host)
{
    for (size_t i = 0; i < host->candidate_count; i++) {
        struct config_candidate *candidate = &host->candidates[i];
        char text[HAR_ADDRESS_TEXT_MAX];
        if (candidate->name != NULL || candidate->address.family == 0)
            continue;
        har_address_format(&candidate->address, text);
        candidate->name = memory_text(loader->memory, text, strlen(text));
    }
}

static void read_candidates(struct reading *reading, const struct place *host_place,
                            const json_t *json)
{
    struct loader *loader = reading->loader;
    struct config_host *host = &reading->draft.host;
    const struct schema_key *key = row(SCOPE_HOST, HOST_CANDIDATES);
    const struct place place = {.parent = host_place, .key = key->name};
    size_t count = json_array_size(json);
    if (!json_is_array(json) || count < key->min || count > key->max) {
        report_row(loader, &place, key, json);
        return;
    }
    host->candidates = memory_take(loader->memory, count, sizeof *host->candidates);
    if (host->candidates == NULL)
        return;
    host->candidate_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.parent = &place, .index = i};
        if (read_candidate(reading, &here, json_array_get(json, i), &host->candidates[i]))
            check_twins(loader, &here, host->candidates, i);
    }
    name_candidates(loader, host);
}

/* --- Hosts --- */

static void overlay_check(struct reading *reading, const struct place *place, const json_t *json)
{
    reading->check_place =
        (struct place){.parent = place, .key = row(SCOPE_HOST, HOST_CHECK)->name};
    if (json != NULL)
        check_overlay(reading->loader, &reading->check_place, json, &reading->draft.check);
}

void host_read_defaults(struct loader *loader, const struct place *place, const json_t *json)
{
    const json_t *values[SCHEMA_KEYS_MAX];
    if (!object_sort(loader, place, SCOPE_HOST, json, values))
        return;
    for (size_t i = 0; i < schema_object(SCOPE_HOST)->count; i++) {
        const struct schema_key *key = row(SCOPE_HOST, (unsigned)i);
        if (values[i] == NULL || !key->single)
            continue;
        const struct place here = {.parent = place, .key = key->name};
        report_value(loader, &here, "not allowed in defaults: every host has its own");
        values[i] = NULL;
    }
    struct reading reading = {.loader = loader, .draft = loader->defaults};
    object_read(loader, place, SCOPE_HOST, values, &reading.draft.host);
    overlay_check(&reading, place, values[HOST_CHECK]);
    loader->defaults = reading.draft;
}

void host_read(struct loader *loader, const struct place *place, const json_t *json, char *name,
               struct config_host *out)
{
    const json_t *values[SCHEMA_KEYS_MAX];
    struct reading reading = {.loader = loader, .draft = loader->defaults};
    reading.draft.host.name = name;
    if (object_sort(loader, place, SCOPE_HOST, json, values)) {
        object_read(loader, place, SCOPE_HOST, values, &reading.draft.host);
        overlay_check(&reading, place, values[HOST_CHECK]);
        if (values[HOST_CANDIDATES] != NULL)
            read_candidates(&reading, place, values[HOST_CANDIDATES]);
        else
            report_missing(loader, place, row(SCOPE_HOST, HOST_CANDIDATES));
    }
    *out = reading.draft.host;
}
