#include "hard/host.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

bool host_wants_family(const struct config_host *config, int family)
{
    switch (config->family) {
    case FAMILY_IPV4:
        return family == AF_INET;
    case FAMILY_IPV6:
        return family == AF_INET6;
    case FAMILY_ANY:
    case FAMILY_BEST:
        return true;
    }
    return true;
}

bool host_init(struct host *host, const struct config_host *config)
{
    *host = (struct host){.config = config};
    host->endpoints = calloc(config->candidate_count, sizeof(struct endpoint *));
    host->candidates = calloc(config->candidate_count, sizeof *host->candidates);
    if (host->endpoints == NULL || host->candidates == NULL)
        return false;
    for (size_t i = 0; i < config->candidate_count; i++) {
        const struct config_candidate *candidate = &config->candidates[i];
        bool named = candidate->host_name != NULL;
        host->candidates[i].resolved = !named;
        if (named || !host_wants_family(config, candidate->address.family))
            continue;
        struct endpoint *endpoint = endpoint_new(host, candidate, &candidate->address);
        if (endpoint == NULL)
            return false;
        host->endpoints[host->endpoint_count++] = endpoint;
    }
    return true;
}

void host_done(struct host *host)
{
    for (size_t i = 0; i < host->endpoint_count; i++)
        free(host->endpoints[i]);
    free(host->endpoints);
    for (size_t i = 0; host->candidates != NULL && i < host->config->candidate_count; i++)
        free(host->candidates[i].override_reason);
    free(host->candidates);
    host_answer_done(&host->answer);
    host_answer_done(&host->good);
}

bool host_is_waiting(const struct host *host)
{
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        if (!host->candidates[i].resolved)
            return true;
    }
    return false;
}

size_t host_unanswered(const struct host *host)
{
    size_t count = 0;
    for (size_t i = 0; i < host->endpoint_count; i++)
        count += !host->endpoints[i]->answered;
    for (size_t i = 0; i < host->config->candidate_count; i++)
        count += !host->candidates[i].resolved;
    return count;
}

/* --- Overrides ---------------------------------------------------------------------------------
 */

const struct config_candidate *host_find_candidate(const struct host *host, const char *label)
{
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        if (strcmp(host->config->candidates[i].name, label) == 0)
            return &host->config->candidates[i];
    }
    return NULL;
}

struct host_candidate *host_candidate_of(const struct host *host,
                                         const struct config_candidate *candidate)
{
    return &host->candidates[candidate - host->config->candidates];
}

bool host_override(struct host *host, const struct config_candidate *candidate,
                   enum override override, int64_t until_us, const char *reason)
{
    char *copy = reason != NULL ? strdup(reason) : NULL;
    if (reason != NULL && copy == NULL)
        return false;
    struct host_candidate *overridden = host_candidate_of(host, candidate);
    free(overridden->override_reason);
    overridden->override = override;
    overridden->override_until_us = until_us;
    overridden->override_reason = copy;
    return true;
}

enum override endpoint_override(const struct endpoint *endpoint)
{
    return host_candidate_of(endpoint->host, endpoint->candidate)->override;
}
