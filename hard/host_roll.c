/* The endpoints of a host as they change: a name resolved, or the configuration is another. */
#include "hard/host.h"

#include <stdlib.h>
#include <string.h>

#include "hard/rank.h"

static bool has_endpoint(const struct host *host, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i] == endpoint)
            return true;
    }
    return false;
}

/* Nobody who left leads. */
static void forget_leaders(struct host *host)
{
    struct host_leader *leaders[] = {&host->leader, &host->leader_ipv4, &host->leader_ipv6};
    for (size_t i = 0; i < sizeof leaders / sizeof leaders[0]; i++) {
        if (!has_endpoint(host, leaders[i]->endpoint))
            leaders[i]->endpoint = NULL;
    }
}

/* --- Names that resolved -----------------------------------------------------------------------
 */

/* The endpoints of a host as they become. */
struct roll {
    struct endpoint **endpoints;
    size_t count;
    size_t room; /* for new ones */
};

/* kept: how many stay, which find room in any case; more: how many may come. False without memory.
 */
static bool roll_init(struct roll *roll, size_t kept, size_t more)
{
    size_t room = more < RANK_ENTRIES_MAX - kept ? more : RANK_ENTRIES_MAX - kept;
    *roll = (struct roll){.endpoints = calloc(kept + room + 1, sizeof(struct endpoint *)),
                          .room = room};
    return roll->endpoints != NULL;
}

static void roll_keep(struct roll *roll, struct endpoint *endpoint)
{
    roll->endpoints[roll->count++] = endpoint;
}

static void roll_add(struct roll *roll, struct endpoint *endpoint)
{
    roll_keep(roll, endpoint);
    roll->room--;
}

static void roll_keep_all(struct roll *roll, const struct host *host,
                          const struct config_candidate *candidate)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i]->candidate == candidate)
            roll_keep(roll, host->endpoints[i]);
    }
}

static struct endpoint *find_endpoint(struct endpoint *const *endpoints, size_t count,
                                      const struct config_candidate *candidate,
                                      const struct har_address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (endpoints[i]->candidate == candidate &&
            har_address_equal(&endpoints[i]->target.address, address))
            return endpoints[i];
    }
    return NULL;
}

/* Calls up the endpoints of a name, each once: those it has, and new ones. False without memory. */
static bool roll_call(struct roll *roll, struct host *host,
                      const struct config_candidate *candidate, const struct har_address *addresses,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (find_endpoint(roll->endpoints, roll->count, candidate, &addresses[i]) != NULL)
            continue;
        struct endpoint *endpoint =
            find_endpoint(host->endpoints, host->endpoint_count, candidate, &addresses[i]);
        if (endpoint != NULL) {
            roll_keep(roll, endpoint);
        } else if (roll->room > 0 && host_wants_family(host->config, addresses[i].family)) {
            endpoint = endpoint_new(host, candidate, &addresses[i]);
            if (endpoint == NULL)
                return false;
            roll_add(roll, endpoint);
        }
    }
    return true;
}

static void roll_undo(const struct roll *roll, const struct host *host)
{
    for (size_t i = 0; i < roll->count; i++) {
        if (!has_endpoint(host, roll->endpoints[i]))
            free(roll->endpoints[i]);
    }
    free(roll->endpoints);
}

/* The host goes over to those on the roll. */
static void roll_install(const struct roll *roll, struct host *host)
{
    free(host->endpoints);
    host->endpoints = roll->endpoints;
    host->endpoint_count = roll->count;
    forget_leaders(host);
}

/* Those whose address is no longer one of the name's; or NULL without memory. */
static struct endpoint **find_gone(const struct host *host,
                                   const struct config_candidate *candidate,
                                   const struct har_address *addresses, size_t count,
                                   size_t *gone_count)
{
    struct endpoint **gone = calloc(host->endpoint_count + 1, sizeof(struct endpoint *));
    *gone_count = 0;
    for (size_t i = 0; i < host->endpoint_count && gone != NULL; i++) {
        struct endpoint *endpoint = host->endpoints[i];
        bool stays = endpoint->candidate != candidate;
        for (size_t j = 0; j < count && !stays; j++)
            stays = har_address_equal(&addresses[j], &endpoint->target.address);
        if (!stays)
            gone[(*gone_count)++] = endpoint;
    }
    return gone;
}

/* In the order of the candidates. False without memory. */
static bool roll_fill(struct roll *roll, struct host *host,
                      const struct config_candidate *candidate, const struct har_address *addresses,
                      size_t count)
{
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        if (&host->config->candidates[i] != candidate)
            roll_keep_all(roll, host, &host->config->candidates[i]);
        else if (!roll_call(roll, host, candidate, addresses, count))
            return false;
    }
    return true;
}

bool host_resolved(struct host *host, const struct config_candidate *candidate,
                   const struct har_address *addresses, size_t count, bool complete,
                   struct endpoint ***gone, size_t *gone_count)
{
    struct endpoint **leaving = NULL;
    size_t left = 0;
    if (count > 0) {
        struct roll roll = {.endpoints = NULL};
        leaving = find_gone(host, candidate, addresses, count, &left);
        if (leaving == NULL || !roll_init(&roll, host->endpoint_count - left, count) ||
            !roll_fill(&roll, host, candidate, addresses, count)) {
            roll_undo(&roll, host);
            free(leaving);
            return false;
        }
        roll_install(&roll, host);
        for (size_t i = 0; i < left; i++)
            leaving[i]->host = NULL;
    }
    host_candidate_of(host, candidate)->resolved |= complete;
    *gone = leaving;
    *gone_count = left;
    return true;
}

struct endpoint *host_find_endpoint(const struct host *host,
                                    const struct config_candidate *candidate,
                                    const struct har_address *address)
{
    return find_endpoint(host->endpoints, host->endpoint_count, candidate, address);
}

struct endpoint *host_recall(struct host *host, const struct config_candidate *candidate,
                             const struct har_address *address)
{
    struct endpoint *endpoint = host_find_endpoint(host, candidate, address);
    if (endpoint != NULL || candidate->host_name == NULL ||
        host->endpoint_count == RANK_ENTRIES_MAX ||
        !host_wants_family(host->config, address->family))
        return endpoint;
    struct roll roll;
    if (!roll_init(&roll, host->endpoint_count, 1))
        return NULL;
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        roll_keep_all(&roll, host, &host->config->candidates[i]);
        if (&host->config->candidates[i] != candidate)
            continue;
        endpoint = endpoint_new(host, candidate, address);
        if (endpoint == NULL) {
            free(roll.endpoints);
            return NULL;
        }
        roll_add(&roll, endpoint);
    }
    roll_install(&roll, host);
    return endpoint;
}

/* --- The next configuration --------------------------------------------------------------------
 */

/* Both are of one host, and the address is not looked at. */
static bool same_question(const struct endpoint *endpoint, const struct config_candidate *candidate)
{
    const char *old_name = endpoint->candidate->host_name, *name = candidate->host_name;
    bool same_name =
        old_name == NULL || name == NULL ? old_name == name : strcmp(old_name, name) == 0;
    return same_name && config_check_equal(endpoint->target.check, candidate->check);
}

/* Takes an endpoint out of its host: a check in flight holds the endpoint's target, so the endpoint
 * itself moves on, with its target pointed at the equal check of the new configuration. */
static struct endpoint *hand_over(struct host *old, size_t place, struct host *host,
                                  const struct config_candidate *candidate)
{
    struct endpoint *heirloom = old->endpoints[place];
    old->endpoint_count--;
    memmove(old->endpoints + place, old->endpoints + place + 1,
            (old->endpoint_count - place) * sizeof(struct endpoint *));
    heirloom->host = host;
    heirloom->candidate = candidate;
    heirloom->target.check = candidate->check;
    return heirloom;
}

/* The endpoint of an address: that of the old host, or the fresh one. */
static void inherit_address(struct roll *roll, struct host *host, struct endpoint *fresh,
                            struct host *old)
{
    for (size_t i = 0; i < old->endpoint_count; i++) {
        if (same_question(old->endpoints[i], fresh->candidate) &&
            har_address_equal(&old->endpoints[i]->target.address, &fresh->target.address)) {
            roll_keep(roll, hand_over(old, i, host, fresh->candidate));
            free(fresh); /* neither started nor known to anybody */
            return;
        }
    }
    roll_keep(roll, fresh);
}

/* All endpoints of a name come along; it is asked again soon enough. Returns whether any did. */
static bool inherit_name(struct roll *roll, struct host *host,
                         const struct config_candidate *candidate, struct host *old)
{
    bool any = false;
    for (size_t i = 0; i < old->endpoint_count && roll->room > 0;) {
        const struct endpoint *endpoint = old->endpoints[i];
        if (same_question(endpoint, candidate) &&
            host_wants_family(host->config, endpoint->target.address.family)) {
            roll_add(roll, hand_over(old, i, host, candidate));
            any = true;
        } else {
            i++;
        }
    }
    return any;
}

/* By label: who drained "b" meant it, whatever its address or check is from now on. */
static void inherit_overrides(struct host *host, struct host *old)
{
    for (size_t i = 0; i < old->config->candidate_count; i++) {
        struct host_candidate *from = &old->candidates[i];
        const struct config_candidate *candidate =
            from->override == OVERRIDE_NONE
                ? NULL
                : host_find_candidate(host, old->config->candidates[i].name);
        if (candidate == NULL)
            continue;
        struct host_candidate *to = host_candidate_of(host, candidate);
        to->override = from->override;
        to->override_until_us = from->override_until_us;
        to->override_reason = from->override_reason;
        from->override_reason = NULL;
    }
}

static void inherit_answers(struct host *host, struct host *old)
{
    host->answer = old->answer;
    host->good = old->good;
    old->answer = old->good = (struct host_answer){.status = NULL};
    host->failing = old->failing;
    host->restored = old->restored;
    host->leader = old->leader;
    host->leader_ipv4 = old->leader_ipv4;
    host->leader_ipv6 = old->leader_ipv6;
}

/* Both may hold more than a host has room for: the rest stays with old, and ends with it. */
bool host_inherit(struct host *host, struct host *old)
{
    struct roll roll;
    size_t next = 0; /* of the fresh endpoints, which are in the order of the candidates */
    if (!roll_init(&roll, host->endpoint_count, old->endpoint_count))
        return false;
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        const struct config_candidate *candidate = &host->config->candidates[i];
        if (candidate->host_name != NULL)
            host->candidates[i].resolved = inherit_name(&roll, host, candidate, old);
        else if (next < host->endpoint_count && host->endpoints[next]->candidate == candidate)
            inherit_address(&roll, host, host->endpoints[next++], old);
    }
    inherit_answers(host, old);
    inherit_overrides(host, old);
    roll_install(&roll, host);
    host->settled = old->settled && host->leader.endpoint != NULL;
    return true;
}
