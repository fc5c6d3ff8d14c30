/* What an operator asks for: overrides, and checks at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "hard/log.h"
#include "hard/monitor_run.h"

/* --- Overrides ---------------------------------------------------------------------------------
 */

struct ending {
    struct monitor *monitor;
    int64_t now_us;
    int64_t next_us; /* of those that hold on */
};

static void end_override(struct monitor *monitor, struct host *host,
                         const struct config_candidate *candidate)
{
    log_event(LOG_NOTICE, "override-ended", "host", host->config->name, "candidate",
              candidate->name, "was", override_text(host_candidate_of(host, candidate)->override),
              NULL);
    host_override(host, candidate, OVERRIDE_NONE, HOST_NO_END, NULL);
    keep_note_override(monitor, host, candidate);
    monitor_force_answer(monitor, host);
}

static void end_of_host(struct ending *ending, struct host *host)
{
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        int64_t until_us = host->candidates[i].override_until_us;
        if (host->candidates[i].override == OVERRIDE_NONE)
            continue;
        if (until_us <= ending->now_us)
            end_override(ending->monitor, host, &host->config->candidates[i]);
        else if (until_us < ending->next_us)
            ending->next_us = until_us;
    }
}

void overrides_end(struct monitor *monitor)
{
    struct ev_loop *loop = monitor->parts.loop;
    struct ending ending = {.monitor = monitor, .now_us = har_now_us(), .next_us = HOST_NO_END};
    for (size_t i = 0; i < monitor->table->host_count; i++)
        end_of_host(&ending, &monitor->table->hosts[i]);
    ev_timer_stop(loop, &monitor->override_timer);
    if (ending.next_us == HOST_NO_END)
        return;
    ev_now_update(loop);
    ev_timer_set(&monitor->override_timer, (double)(ending.next_us - ending.now_us) / 1e6, 0.);
    ev_timer_start(loop, &monitor->override_timer);
}

static void on_override_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    overrides_end(timer->data);
}

void overrides_init(struct monitor *monitor)
{
    ev_timer_init(&monitor->override_timer, on_override_timer, 0., 0.);
    monitor->override_timer.data = monitor;
}

bool monitor_override(struct monitor *monitor, struct host *host,
                      const struct config_candidate *candidate, enum override override,
                      uint32_t for_s, const char *reason)
{
    int64_t until_us = for_s > 0 ? har_now_us() + INT64_C(1000000) * for_s : HOST_NO_END;
    char for_text[16];
    snprintf(for_text, sizeof for_text, "%u", for_s);
    if (!host_override(host, candidate, override, until_us, reason))
        return false;
    log_event(LOG_NOTICE, "override", "host", host->config->name, "candidate", candidate->name,
              "kind", override_text(override), "for_s", for_s > 0 ? for_text : NULL, "reason",
              reason, NULL);
    keep_note_override(monitor, host, candidate);
    monitor_force_answer(monitor, host);
    overrides_end(monitor);
    return true;
}

/* --- Rounds ------------------------------------------------------------------------------------
 */

struct monitor_round {
    struct monitor_round *next;
    struct monitor *monitor;
    monitor_round_fn *done;
    void *arg;
    ev_timer finish; /* nobody is waited for: done is called from the loop */
    size_t pending;
    size_t count;
    struct monitor_verdict verdicts[];
};

static void round_free(struct monitor_round *round)
{
    ev_timer_stop(round->monitor->parts.loop, &round->finish);
    for (size_t i = 0; i < round->count; i++)
        free(round->verdicts[i].candidate);
    free(round);
}

static void round_unlink(struct monitor_round *round)
{
    struct monitor_round **link = &round->monitor->rounds;
    while (*link != round)
        link = &(*link)->next;
    *link = round->next;
}

static void on_finish(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct monitor_round *round = timer->data;
    round_unlink(round);
    round->done(round->arg, round->verdicts, round->count);
    round_free(round);
}

static void round_waits_no_more(struct monitor_round *round, struct monitor_verdict *verdict)
{
    verdict->endpoint = NULL;
    if (--round->pending == 0)
        ev_timer_start(round->monitor->parts.loop, &round->finish);
}

static struct monitor_verdict *find_verdict(struct monitor_round *round,
                                            const struct endpoint *endpoint)
{
    for (size_t i = 0; i < round->count; i++) {
        if (round->verdicts[i].endpoint == endpoint)
            return &round->verdicts[i];
    }
    return NULL;
}

void rounds_result(const struct endpoint *endpoint, const struct check_result *result)
{
    for (struct monitor_round *round = endpoint->monitor->rounds; round != NULL;
         round = round->next) {
        struct monitor_verdict *verdict = find_verdict(round, endpoint);
        if (verdict == NULL)
            continue;
        verdict->ended = true;
        verdict->result = *result;
        verdict->state = endpoint->health.state;
        round_waits_no_more(round, verdict);
    }
}

void rounds_endpoint_gone(const struct endpoint *endpoint)
{
    for (struct monitor_round *round = endpoint->monitor->rounds; round != NULL;
         round = round->next) {
        struct monitor_verdict *verdict = find_verdict(round, endpoint);
        if (verdict != NULL)
            round_waits_no_more(round, verdict);
    }
}

static bool take_endpoint(struct monitor_round *round, struct endpoint *endpoint)
{
    struct monitor_verdict *verdict = &round->verdicts[round->count];
    verdict->candidate = strdup(endpoint->candidate->name);
    if (verdict->candidate == NULL)
        return false;
    round->count++;
    verdict->address = endpoint->target.address;
    verdict->port = endpoint->target.check->port;
    if (endpoint->target.check->type != CHECK_NONE) {
        verdict->endpoint = endpoint;
        round->pending++;
    }
    return true;
}

struct monitor_round *monitor_check(struct monitor *monitor, struct host *host,
                                    monitor_round_fn *done, void *arg)
{
    struct monitor_round *round =
        calloc(1, sizeof *round + host->endpoint_count * sizeof round->verdicts[0]);
    if (round == NULL)
        return NULL;
    round->monitor = monitor;
    round->done = done;
    round->arg = arg;
    ev_timer_init(&round->finish, on_finish, 0., 0.);
    round->finish.data = round;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (!take_endpoint(round, host->endpoints[i])) {
            round_free(round);
            return NULL;
        }
    }
    round->next = monitor->rounds;
    monitor->rounds = round;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i]->running == NULL)
            check_soon(host->endpoints[i], 0.);
    }
    if (round->pending == 0)
        ev_timer_start(monitor->parts.loop, &round->finish);
    return round;
}

void monitor_round_cancel(struct monitor_round *round)
{
    if (round == NULL)
        return;
    round_unlink(round);
    round_free(round);
}
