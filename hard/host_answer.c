/* What a host answers: that of an earlier run, then that of its endpoints. */
#include "hard/host.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "hard/answer.h"

/* --- The answer of an earlier run --------------------------------------------------------------
 */

static bool is_failure_address(const struct host *host, const struct har_address *address)
{
    for (size_t i = 0; i < host->config->failure_address_count; i++) {
        if (har_address_equal(&host->config->failure_addresses[i], address))
            return true;
    }
    return false;
}

static const struct endpoint *find_by_address(const struct host *host,
                                              const struct har_address *address)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (har_address_equal(&host->endpoints[i]->target.address, address))
            return host->endpoints[i];
    }
    return NULL;
}

const char *host_answer_next(const char *addresses, struct har_address *address)
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

/* A name that has no endpoint could not be resolved so far. */
static bool has_unresolved(const struct host *host)
{
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        const struct config_candidate *candidate = &host->config->candidates[i];
        bool resolved = candidate->host_name == NULL;
        for (size_t j = 0; j < host->endpoint_count && !resolved; j++)
            resolved = host->endpoints[j]->candidate == candidate;
        if (!resolved)
            return true;
    }
    return false;
}

/* While a name is unresolved, any address may be one of its. */
static bool can_answer(const struct host *host, const char *addresses)
{
    bool any = has_unresolved(host);
    struct har_address address;
    while (*addresses != '\0') {
        addresses = host_answer_next(addresses, &address);
        if (addresses == NULL ||
            !(any || find_by_address(host, &address) != NULL || is_failure_address(host, &address)))
            return false;
    }
    return true;
}

static enum health_state state_of(const struct endpoint *endpoint)
{
    switch (endpoint_override(endpoint)) {
    case OVERRIDE_UP:
        return HEALTH_UP;
    case OVERRIDE_DOWN:
        return HEALTH_DOWN;
    case OVERRIDE_NONE:
    case OVERRIDE_DRAIN:
        break;
    }
    return endpoint->health.state;
}

static bool is_anybody_up(const struct host *host)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i]->health.state == HEALTH_UP)
            return true;
    }
    return false;
}

/* Nothing is known of it yet; or that it is up, but not how fast, since the first check's times
 * were not believed. */
static bool is_pending(const struct endpoint *endpoint)
{
    const struct health *health = &endpoint->health;
    return health->state == HEALTH_UNKNOWN ||
           (health->state == HEALTH_UP && health->total_us == 0 &&
            endpoint->target.check->type != CHECK_NONE);
}

/* Somebody's first result is out. */
static bool is_first_round(const struct host *host)
{
    bool pending = host_is_waiting(host);
    for (size_t i = 0; i < host->endpoint_count && !pending; i++)
        pending = is_pending(host->endpoints[i]);
    return pending;
}

/* What is known already speaks against it: that its best is dead or drained, or, where that is
 * nobody's address yet, that somebody is up. */
static bool restored_stands(const struct host *host)
{
    if (!host->restored || !can_answer(host, host->answer.addresses))
        return false;
    struct har_address leader;
    const struct endpoint *endpoint = NULL;
    bool named = host_answer_next(host->answer.addresses, &leader) != NULL;
    if (named)
        endpoint = find_by_address(host, &leader);
    if (endpoint != NULL)
        return is_first_round(host) && state_of(endpoint) != HEALTH_DOWN &&
               endpoint_override(endpoint) != OVERRIDE_DRAIN;
    bool of_a_name = named && !is_failure_address(host, &leader) && has_unresolved(host);
    if (of_a_name && host_is_waiting(host))
        return true;
    return (of_a_name || is_first_round(host)) && !is_anybody_up(host);
}

/* Statuses outlive the file they were read from. */
static const char *known_status(const char *status)
{
    static const char *const known[] = {RANKING_STATUS_ANSWER, RANKING_STATUS_FAIL,
                                        RANKING_STATUS_FORWARD};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(status, known[i]) == 0)
            return known[i];
    }
    return NULL;
}

void host_answer_done(struct host_answer *answer)
{
    free(answer->addresses);
    free(answer->weights);
}

/* A row stands for an answer in what follows; its names are not looked at. */
static struct ranking_row row_of(const struct host_answer *answer)
{
    return (struct ranking_row){.status = answer->status,
                                .addresses = answer->addresses,
                                .weights = answer->weights,
                                .answers = answer->answers};
}

/* False without memory, and *to untouched. */
static bool answer_set(struct host_answer *to, const struct ranking_row *row)
{
    struct host_answer copy = {.status = row->status, .answers = row->answers};
    copy.addresses = strdup(row->addresses);
    copy.weights = row->weights != NULL ? strdup(row->weights) : NULL;
    if (copy.addresses == NULL || (row->weights != NULL && copy.weights == NULL)) {
        host_answer_done(&copy);
        return false;
    }
    host_answer_done(to);
    *to = copy;
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same(const struct host_answer *answer, const struct ranking_row *row)
{
    return answer->answers == row->answers && same_text(answer->status, row->status) &&
           same_text(answer->addresses, row->addresses) && same_text(answer->weights, row->weights);
}

/* For failure_mode last. Without memory the one before stays the last. */
static void remember_good(struct host *host)
{
    const struct ranking_row now = row_of(&host->answer);
    if (host->config->failure_mode == FAILURE_LAST && now.addresses != NULL &&
        !is_same(&host->good, &now))
        host->good_is_new |= answer_set(&host->good, &now);
}

/* Who led then leads on. */
static void restore_leaders(struct host *host)
{
    const char *addresses = host->answer.addresses;
    struct har_address address;
    while (*addresses != '\0' && (addresses = host_answer_next(addresses, &address)) != NULL) {
        const struct endpoint *endpoint = find_by_address(host, &address);
        struct host_leader *of_family =
            address.family == AF_INET ? &host->leader_ipv4 : &host->leader_ipv6;
        if (host->leader.endpoint == NULL)
            host->leader.endpoint = endpoint;
        if (of_family->endpoint == NULL)
            of_family->endpoint = endpoint;
    }
}

void host_restore(struct host *host, const struct ranking_row *row)
{
    struct ranking_row known = *row;
    known.status = known_status(row->status);
    if (host->answer.addresses != NULL || known.status == NULL || !can_answer(host, row->addresses))
        return;
    host->restored = answer_set(&host->answer, &known);
    if (!host->restored)
        return;
    restore_leaders(host);
    if (strcmp(known.status, RANKING_STATUS_ANSWER) == 0)
        remember_good(host);
}

void host_restore_good(struct host *host, const struct ranking_row *row)
{
    const char *status = known_status(row->status);
    if (host->config->failure_mode != FAILURE_LAST || status == NULL)
        return;
    struct ranking_row known = *row;
    known.status = status;
    answer_set(&host->good, &known);
}

/* --- The answer of now -------------------------------------------------------------------------
 */

static struct rank_entry entry_of(const struct host *host, const struct endpoint *endpoint)
{
    const struct health *health = &endpoint->health;
    uint32_t rtt_us = host->config->rtt_mode == RTT_CONNECT ? health->connect_us : health->total_us;
    return (struct rank_entry){.address = endpoint->target.address,
                               .state = state_of(endpoint),
                               .drained = endpoint_override(endpoint) == OVERRIDE_DRAIN,
                               .priority = endpoint->candidate->priority,
                               .weight = endpoint->candidate->weight,
                               .rtt_us = rtt_us > 0 ? rtt_us : RANK_UNMEASURED};
}

static struct rank_leader rank_leader_of(const struct host *host, const struct host_leader *leader,
                                         int64_t now_us)
{
    struct rank_leader ranked = {.place = RANK_NOBODY};
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i] == leader->endpoint)
            ranked.place = i;
    }
    ranked.held = leader->switched_us != 0 &&
                  now_us - leader->switched_us < INT64_C(1000) * host->config->switch_hold_ms;
    return ranked;
}

static struct rank_leaders leaders_of(const struct host *host, int64_t now_us)
{
    return (struct rank_leaders){.all = rank_leader_of(host, &host->leader, now_us),
                                 .ipv4 = rank_leader_of(host, &host->leader_ipv4, now_us),
                                 .ipv6 = rank_leader_of(host, &host->leader_ipv6, now_us)};
}

static void follow(const struct host *host, const struct rank_entry *entries, size_t was, size_t is,
                   int64_t now_us, struct host_leader *leader)
{
    const struct rank_rules rules = rank_rules_of(host->config);
    if (was != RANK_NOBODY && is != RANK_NOBODY && rank_is_voluntary(&rules, entries, was, is))
        leader->switched_us = now_us;
    leader->endpoint = is != RANK_NOBODY ? host->endpoints[is] : NULL;
}

static void follow_leaders(struct host *host, const struct rank_entry *entries,
                           const struct rank_leaders *was, const struct rank_leaders *is,
                           int64_t now_us)
{
    host->settled = host->settled || !is_first_round(host);
    if (!host->settled)
        return;
    follow(host, entries, was->all.place, is->all.place, now_us, &host->leader);
    follow(host, entries, was->ipv4.place, is->ipv4.place, now_us, &host->leader_ipv4);
    follow(host, entries, was->ipv6.place, is->ipv6.place, now_us, &host->leader_ipv6);
}

/* Makes it the host's answer. Returns true when that is a change, with *was as in the header. */
static bool adopt(struct host *host, const struct ranking_row *now, bool failing, char **was)
{
    struct host_answer *answer = &host->answer;
    bool same = is_same(answer, now);
    if (same && host->failing == failing)
        return false;
    char *before = answer->addresses != NULL ? strdup(answer->addresses) : NULL;
    bool lost = answer->addresses != NULL && before == NULL;
    if (lost || (!same && !answer_set(answer, now))) {
        free(before);
        return false;
    }
    host->failing = failing;
    *was = before;
    return true;
}

void host_ranking_of(const struct host *host, int64_t now_us, struct host_ranking *ranking)
{
    ranking->rules = rank_rules_of(host->config);
    ranking->count = host->endpoint_count;
    for (size_t i = 0; i < host->endpoint_count; i++)
        ranking->entries[i] = entry_of(host, host->endpoints[i]);
    ranking->leaders = leaders_of(host, now_us);
}

bool host_update_answer(struct host *host, int64_t now_us, char **was)
{
    if (host->endpoint_count == 0 && host_is_waiting(host))
        return false;
    if (restored_stands(host))
        return false;
    host->restored = false;

    struct host_ranking ranking;
    struct answer answer;
    host_ranking_of(host, now_us, &ranking);
    answer_compose(host->config, ranking.entries, ranking.count, &ranking.leaders, &answer);
    follow_leaders(host, ranking.entries, &ranking.leaders, &answer.leaders, now_us);

    struct ranking_row now = {.status = answer.status,
                              .addresses = answer.addresses,
                              .weights = answer.weights[0] != '\0' ? answer.weights : NULL,
                              .answers = answer.answers};
    if (answer.last && host->good.addresses != NULL && can_answer(host, host->good.addresses))
        now = row_of(&host->good);
    bool changed = adopt(host, &now, answer.failing, was);
    if (answer.good)
        remember_good(host);
    return changed;
}
