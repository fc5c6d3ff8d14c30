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
    *candidate = reading->loader->bare;
    if (json_is_object(json))
        return read_candidate_object(reading, place, json, candidate);
    candidate->check = host_check(reading);
    if (!json_is_string(json)) {
        report_found(reading->loader, place, json,
                     "an IPv4 or IPv6 address or a host name, or an object that has one");
        return false;
    }
    return value_read(&(const struct value){
        reading->loader, place, row(SCOPE_CANDIDATE, CANDIDATE_ADDRESS), json, candidate});
}

/* What it is called when nobody gave it a name. Empty for what was refused. */
static const char *server_text(const struct config_candidate *candidate,
                               char buffer[HAR_ADDRESS_TEXT_MAX])
{
    if (candidate->host_name != NULL)
        return candidate->host_name;
    return candidate->address.family != 0 ? har_address_format(&candidate->address, buffer) : "";
}

/* Has it a name that nobody else may have? A plain address is not one: the same server may be
 * checked on another port. */
static bool has_own_name(const struct config_candidate *candidate)
{
    char text[HAR_ADDRESS_TEXT_MAX];
    return candidate->name != NULL && strcmp(candidate->name, server_text(candidate, text)) != 0;
}

static bool same_name(const struct config_candidate *a, const struct config_candidate *b)
{
    char text_a[HAR_ADDRESS_TEXT_MAX], text_b[HAR_ADDRESS_TEXT_MAX];
    return (has_own_name(a) || has_own_name(b)) &&
           strcmp(a->name != NULL ? a->name : server_text(a, text_a),
                  b->name != NULL ? b->name : server_text(b, text_b)) == 0;
}

static bool same_server(const struct config_candidate *a, const struct config_candidate *b)
{
    if (a->host_name != NULL && b->host_name != NULL)
        return strcmp(a->host_name, b->host_name) == 0;
    return a->host_name == NULL && b->host_name == NULL &&
           har_address_equal(&a->address, &b->address);
}

static bool same_endpoint(const struct config_candidate *a, const struct config_candidate *b)
{
    return a->check != NULL && b->check != NULL && a->check->port == b->check->port &&
           same_server(a, b);
}

/* One server twice, or two under one name. Each is compared with all before it: there are at most
 * CONFIG_CANDIDATES_MAX. */
static void check_twins(struct loader *loader, const struct place *place,
                        const struct config_candidate *candidates, size_t index)
{
    const struct config_candidate *candidate = &candidates[index];
    for (size_t i = 0; i < index; i++) {
        const struct config_candidate *other = &candidates[i];
        if (same_endpoint(other, candidate)) {
            report_value(loader, place, "the same %s and check port as candidates[%zu]",
                         candidate->host_name != NULL ? "host name" : "address", i);
            return;
        }
        if (same_name(other, candidate)) {
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
        char buffer[HAR_ADDRESS_TEXT_MAX];
        const char *text = server_text(candidate, buffer);
        if (candidate->name == NULL)
            candidate->name = memory_text(loader->memory, text, strlen(text));
    }
}

/* A host that answers one family needs somebody of it. */
static void check_family(struct loader *loader, const struct place *place,
                         const struct config_host *host)
{
    if (host->family != FAMILY_IPV4 && host->family != FAMILY_IPV6)
        return;
    bool ipv4 = host->family == FAMILY_IPV4;
    for (size_t i = 0; i < host->candidate_count; i++) {
        if (host->candidates[i].address.family != (ipv4 ? AF_INET6 : AF_INET))
            return;
    }
    report_value(loader, place,
                 "found %s addresses alone; allowed with family \"%s\": an %s address or a host "
                 "name among them",
                 ipv4 ? "IPv6" : "IPv4", ipv4 ? "ipv4" : "ipv6", ipv4 ? "IPv4" : "IPv6");
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
    check_family(loader, &place, host);
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
