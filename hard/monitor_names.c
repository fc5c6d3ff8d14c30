/* Candidates that are host names: their addresses become endpoints, and stop being some. */
#include <stdlib.h>

#include "hard/log.h"
#include "hard/monitor_run.h"
#include "hard/rank.h"

struct name_watch {
    struct monitor *monitor;
    struct host *host;
    const struct config_candidate *candidate;
    struct candidate_watch *watch;
};

static void end_endpoints(struct monitor *monitor, const struct host *host, struct endpoint **gone,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        keep_forget_endpoint(monitor, host->config->name, gone[i]);
        check_stop(gone[i]);
        free(gone[i]);
    }
    free(gone);
}

/* Touches this one host: thousands of names may change in one round of the loop. */
static void take_change(struct monitor *monitor, struct host *host, size_t unanswered,
                        size_t checked)
{
    monitor->table->unanswered += host_unanswered(host) - unanswered;
    check_start_host(monitor, host); /* first: a new endpoint belongs to nobody yet */
    network_recount(monitor, host, checked);
    monitor_update_answer(monitor, host, true);
    monitor_request_if_ready(monitor);
}

static void on_changed(void *arg, const struct har_address *addresses, size_t count, bool complete)
{
    const struct name_watch *name = arg;
    struct host *host = name->host;
    struct endpoint **gone = NULL;
    size_t gone_count = 0, unanswered = host_unanswered(host), endpoints = host->endpoint_count;
    size_t checked = network_checked(host);
    if (!host_resolved(host, name->candidate, addresses, count, complete, &gone, &gone_count)) {
        log_event(LOG_ERR, "addresses-lost", "host", host->config->name, "candidate",
                  name->candidate->name, "error", "out of memory", NULL);
        return;
    }
    bool same =
        gone_count == 0 && host->endpoint_count == endpoints && host_unanswered(host) == unanswered;
    end_endpoints(name->monitor, host, gone, gone_count);
    if (!same)
        take_change(name->monitor, host, unanswered, checked);
}

/* What the host has of the name, from an earlier run or configuration, is its last known. */
static void recall(const struct name_watch *name)
{
    struct har_address addresses[RANK_ENTRIES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < name->host->endpoint_count; i++) {
        if (name->host->endpoints[i]->candidate == name->candidate)
            addresses[count++] = name->host->endpoints[i]->target.address;
    }
    if (count > 0)
        candidates_recall(name->watch, addresses, count);
}

static struct name_watch *watch_name(struct monitor *monitor, struct host *host,
                                     const struct config_candidate *candidate)
{
    struct name_watch *name = calloc(1, sizeof *name);
    if (name == NULL)
        return NULL;
    *name = (struct name_watch){.monitor = monitor, .host = host, .candidate = candidate};
    name->watch = candidates_watch(monitor->parts.candidates, candidate->host_name,
                                   host_wants_family(host->config, AF_INET),
                                   host_wants_family(host->config, AF_INET6), on_changed, name);
    if (name->watch == NULL) {
        free(name);
        return NULL;
    }
    recall(name);
    return name;
}

static void watch_host(struct monitor *monitor, struct host *host)
{
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        const struct config_candidate *candidate = &host->config->candidates[i];
        if (candidate->host_name == NULL)
            continue;
        host->candidates[i].watch = watch_name(monitor, host, candidate);
        if (host->candidates[i].watch == NULL)
            log_event(LOG_ERR, "name-not-watched", "host", host->config->name, "candidate",
                      candidate->name, "error", "out of memory", NULL);
    }
}

void names_watch(struct monitor *monitor, struct table *table)
{
    for (size_t i = 0; i < table->host_count; i++)
        watch_host(monitor, &table->hosts[i]);
}

void names_unwatch(struct table *table)
{
    for (size_t i = 0; i < table->host_count; i++) {
        struct host *host = &table->hosts[i];
        for (size_t j = 0; j < host->config->candidate_count; j++) {
            struct name_watch *name = host->candidates[j].watch;
            if (name != NULL)
                candidates_unwatch(name->watch);
            free(name);
            host->candidates[j].watch = NULL;
        }
    }
}

static bool is_last_of_name(const struct endpoint *endpoint)
{
    const struct host *host = endpoint->host;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i]->candidate == endpoint->candidate &&
            host->endpoints[i]->health.state != HEALTH_DOWN)
            return false;
    }
    return true;
}

void names_endpoint_down(const struct endpoint *endpoint)
{
    const struct name_watch *name = host_candidate_of(endpoint->host, endpoint->candidate)->watch;
    if (name != NULL && is_last_of_name(endpoint))
        candidates_refresh(name->watch);
}

void names_refresh(struct monitor *monitor)
{
    for (size_t i = 0; i < monitor->table->host_count; i++) {
        const struct host *host = &monitor->table->hosts[i];
        for (size_t j = 0; j < host->config->candidate_count; j++) {
            if (host->candidates[j].watch != NULL)
                candidates_refresh(host->candidates[j].watch->watch);
        }
    }
}

enum candidates_state monitor_name_state(const struct host *host,
                                         const struct config_candidate *candidate,
                                         struct candidates_counters *counters)
{
    const struct name_watch *name = host_candidate_of(host, candidate)->watch;
    *counters = (struct candidates_counters){.successes = 0};
    return name != NULL ? candidates_state_of(name->watch, counters) : CANDIDATES_UNKNOWN;
}
