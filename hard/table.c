#include "hard/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hard/answer.h"

struct host_name {
    const char *name;
    struct host *host;
};

/* --- Building ----------------------------------------------------------------------------------
 */

static struct endpoint *endpoint_new(struct host *host, const struct config_candidate *candidate)
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL)
        return NULL;
    endpoint->host = host;
    endpoint->name = candidate->name;
    endpoint->target = (struct check_target){candidate->address, candidate->check};
    health_init(&endpoint->health);
    if (candidate->check->type == CHECK_NONE) {
        endpoint->health.state = HEALTH_UP;
        endpoint->answered = true;
    }
    return endpoint;
}

static bool host_build(struct host *host, const struct config_host *config)
{
    host->config = config;
    host->endpoints = calloc(config->candidate_count, sizeof(struct endpoint *));
    if (host->endpoints == NULL)
        return false;
    host->endpoint_count = config->candidate_count;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        host->endpoints[i] = endpoint_new(host, &config->candidates[i]);
        if (host->endpoints[i] == NULL)
            return false;
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct host_name *)a)->name, ((const struct host_name *)b)->name);
}

static bool names_build(struct table *table)
{
    size_t count = table->host_count;
    for (size_t i = 0; i < table->host_count; i++)
        count += table->hosts[i].config->alias_count;
    table->names = calloc(count + 1, sizeof *table->names);
    table->rows = calloc(count + 1, sizeof *table->rows);
    if (table->names == NULL || table->rows == NULL)
        return false;
    for (size_t i = 0; i < table->host_count; i++) {
        struct host *host = &table->hosts[i];
        table->names[table->name_count++] = (struct host_name){host->config->name, host};
        for (size_t j = 0; j < host->config->alias_count; j++)
            table->names[table->name_count++] = (struct host_name){host->config->aliases[j], host};
    }
    qsort(table->names, count, sizeof *table->names, compare_names);
    return true;
}

/* Afterwards the counts of those without a result are right, whatever was inherited. */
static void count_unanswered(struct table *table)
{
    table->unanswered = 0;
    for (size_t i = 0; i < table->host_count; i++) {
        const struct host *host = &table->hosts[i];
        for (size_t j = 0; j < host->endpoint_count; j++)
            table->unanswered += !host->endpoints[j]->answered;
    }
}

static bool table_build(struct table *table)
{
    const struct config *config = table->config;
    table->hosts = calloc(config->host_count + 1, sizeof *table->hosts);
    if (table->hosts == NULL)
        return false;
    table->host_count = config->host_count;
    for (size_t i = 0; i < table->host_count; i++) {
        if (!host_build(&table->hosts[i], &config->hosts[i]))
            return false;
    }
    if (!names_build(table))
        return false;
    count_unanswered(table);
    return true;
}

struct table *table_new(struct config *config, struct har_error *error)
{
    struct table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->config = config;
        if (table_build(table))
            return table;
        table->config = NULL; /* stays the caller's */
        table_free(table);
    }
    har_fail(error, HAR_ERR_MEMORY, "out of memory");
    return NULL;
}

static void host_done(struct host *host)
{
    for (size_t i = 0; i < host->endpoint_count; i++)
        free(host->endpoints[i]);
    free(host->endpoints);
    free(host->addresses);
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->host_count; i++)
        host_done(&table->hosts[i]);
    free(table->hosts);
    free(table->names);
    free(table->rows);
    config_free(table->config);
    free(table);
}

/* --- Restoring ---------------------------------------------------------------------------------
 */

static bool is_known_address(const struct host *host, const struct har_address *address)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (har_address_equal(&host->endpoints[i]->target.address, address))
            return true;
    }
    for (size_t i = 0; i < host->config->failure_address_count; i++) {
        if (har_address_equal(&host->config->failure_addresses[i], address))
            return true;
    }
    return false;
}

/* Reads the next address of a row. Returns what follows it, or NULL at the end or at nonsense. */
static const char *next_address(const char *addresses, struct har_address *address)
{
    char text[HAR_ADDRESS_TEXT_MAX];
    size_t length = strcspn(addresses, " ");
    if (length == 0 || length >= sizeof text)
        return NULL;
    memcpy(text, addresses, length);
    text[length] = '\0';
    if (har_address_parse(text, address) < 0)
        return NULL;
    addresses += length;
    return *addresses == ' ' ? addresses + 1 : addresses;
}

static bool all_addresses_known(const struct host *host, const char *addresses)
{
    struct har_address address;
    while (*addresses != '\0') {
        addresses = next_address(addresses, &address);
        if (addresses == NULL || !is_known_address(host, &address))
            return false;
    }
    return true;
}

/* Statuses outlive the file they were read from. */
static const char *known_status(const char *status)
{
    if (strcmp(status, RANKING_STATUS_ANSWER) == 0)
        return RANKING_STATUS_ANSWER;
    return strcmp(status, RANKING_STATUS_FAIL) == 0 ? RANKING_STATUS_FAIL : NULL;
}

void table_restore(struct table *table, const struct ranking_row *row)
{
    const struct host_name wanted = {.name = row->name};
    const struct host_name *found =
        bsearch(&wanted, table->names, table->name_count, sizeof *table->names, compare_names);
    const char *status = known_status(row->status);
    if (found == NULL || row->alias_of != NULL || status == NULL)
        return;
    struct host *host = found->host;
    if (host->addresses != NULL || !all_addresses_known(host, row->addresses))
        return;
    host->addresses = strdup(row->addresses);
    host->status = status;
    host->answers = row->answers;
    host->restored = host->addresses != NULL;
}

/* Whom the answer names first, if it is one of ours. */
static const struct endpoint *find_leader(const struct host *host)
{
    struct har_address leader;
    if (next_address(host->addresses, &leader) == NULL)
        return NULL;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (har_address_equal(&host->endpoints[i]->target.address, &leader))
            return host->endpoints[i];
    }
    return NULL;
}

static bool has_endpoint(const struct host *host, enum health_state state)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i]->health.state == state)
            return true;
    }
    return false;
}

/* The answer of an earlier run stands while somebody's first result is out, but not against what is
 * known already: that its best is dead, or, where it named none, that somebody is up. */
static bool restored_stands(const struct host *host)
{
    if (!host->restored || !has_endpoint(host, HEALTH_UNKNOWN))
        return false;
    const struct endpoint *leader = find_leader(host);
    if (leader == NULL)
        return !has_endpoint(host, HEALTH_UP);
    return leader->health.state != HEALTH_DOWN;
}

/* --- Inheriting --------------------------------------------------------------------------------
 */

static bool same_question(const struct endpoint *a, const struct endpoint *b)
{
    return har_address_equal(&a->target.address, &b->target.address) &&
           config_check_equal(a->target.check, b->target.check);
}

static struct endpoint **find_heirloom(struct host *old, const struct endpoint *fresh)
{
    for (size_t i = 0; i < old->endpoint_count; i++) {
        if (old->endpoints[i]->host == old && same_question(old->endpoints[i], fresh))
            return &old->endpoints[i];
    }
    return NULL;
}

/* A check in flight holds the endpoint's target, so the endpoint itself moves, with its target
 * pointed at the equal check of the new configuration. */
static void inherit_endpoint(struct host *host, size_t place, struct host *old)
{
    struct endpoint *fresh = host->endpoints[place];
    struct endpoint **slot = find_heirloom(old, fresh);
    if (slot == NULL)
        return;
    struct endpoint *heirloom = *slot;
    heirloom->host = host;
    heirloom->name = fresh->name;
    heirloom->target.check = fresh->target.check;
    host->endpoints[place] = heirloom;
    *slot = fresh;
    fresh->host = NULL; /* nobody's, so that it is not inherited in turn */
}

static void inherit_host(struct host *host, struct host *old)
{
    host->status = old->status;
    host->answers = old->answers;
    host->failing = old->failing;
    host->addresses = old->addresses;
    host->restored = old->restored && all_addresses_known(host, host->addresses);
    old->addresses = NULL;
    for (size_t i = 0; i < host->endpoint_count; i++)
        inherit_endpoint(host, i, old);
}

/* Both are sorted by name: one walk along both. */
void table_inherit(struct table *table, struct table *old)
{
    size_t i = 0, j = 0;
    while (i < table->host_count && j < old->host_count) {
        int order = strcmp(table->hosts[i].config->name, old->hosts[j].config->name);
        if (order == 0)
            inherit_host(&table->hosts[i], &old->hosts[j]);
        i += order <= 0;
        j += order >= 0;
    }
    count_unanswered(table);
}

/* --- Answering ---------------------------------------------------------------------------------
 */

void table_answered(struct table *table, struct endpoint *endpoint)
{
    endpoint->answered = true;
    table->unanswered--;
}

static struct rank_entry rank_entry_of(const struct host *host, size_t place)
{
    const struct health *health = &host->endpoints[place]->health;
    uint32_t rtt_us = host->config->rtt_mode == RTT_CONNECT ? health->connect_us : health->total_us;
    return (struct rank_entry){.state = health->state,
                               .priority = host->config->candidates[place].priority,
                               .rtt_us = rtt_us > 0 ? rtt_us : RANK_UNMEASURED};
}

static bool is_current(const struct host *host, const struct answer *answer)
{
    return host->addresses != NULL && host->answers == answer->answers &&
           host->failing == answer->failing && strcmp(host->status, answer->status) == 0 &&
           strcmp(host->addresses, answer->addresses) == 0;
}

bool host_update_answer(struct host *host, char **was)
{
    if (restored_stands(host))
        return false;
    host->restored = false;

    struct rank_entry entries[CONFIG_CANDIDATES_MAX];
    struct answer answer;
    for (size_t i = 0; i < host->endpoint_count; i++)
        entries[i] = rank_entry_of(host, i);
    answer_compose(host->config, entries, &answer);
    if (is_current(host, &answer))
        return false;
    char *addresses = strdup(answer.addresses);
    if (addresses == NULL)
        return false;
    *was = host->addresses;
    host->status = answer.status;
    host->answers = answer.answers;
    host->failing = answer.failing;
    host->addresses = addresses;
    return true;
}

static struct ranking_row row_of(const struct host_name *name)
{
    const struct host *host = name->host;
    return (struct ranking_row){.name = name->name,
                                .status = host->status,
                                .addresses = host->addresses,
                                .answers = host->answers,
                                .alias_of =
                                    name->name == host->config->name ? NULL : host->config->name};
}

const struct ranking_row *table_rows(struct table *table, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < table->name_count; i++) {
        if (table->names[i].host->addresses != NULL)
            table->rows[(*count)++] = row_of(&table->names[i]);
    }
    return table->rows;
}
