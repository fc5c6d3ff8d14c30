/* The way of a query from upstream to upstream. */
#include "hard/forward_run.h"

#include <errno.h>
#include <stdio.h>

#include "common/clock.h"
#include "hard/log.h"

#define TRIES_MAX 4 /* of one query: who asked has not waited longer than that */

static uint32_t bit(unsigned place)
{
    return (uint32_t)1 << place;
}

enum forward_reason forward_reason_of_errno(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN: /* no port is left */
        return FORWARD_LOCAL_ERROR;
    case ETIMEDOUT:
        return FORWARD_TIMEOUT;
    default:
        return FORWARD_UNREACHABLE;
    }
}

/* --- ids and lists ---------------------------------------------------------------------------- */

void forward_move(struct forward_query *query, struct forward_list *list)
{
    if (query->list != NULL)
        TAILQ_REMOVE(query->list, query, in_list);
    query->list = list;
    if (list != NULL)
        TAILQ_INSERT_TAIL(list, query, in_list);
}

static void take_id(struct forward_query *query)
{
    struct forward *forward = query->forward;
    uint16_t id;
    do
        id = random_16(&forward->random);
    while (forward->by_id[id] != 0);
    forward->by_id[id] = (uint16_t)(query - forward->queries + 1);
    dns_set_id(query->bytes, id);
    query->has_id = true;
}

struct forward_query *forward_find(struct forward *forward, uint16_t id)
{
    unsigned number = forward->by_id[id];
    return number != 0 ? &forward->queries[number - 1] : NULL;
}

void forward_leave_try(struct forward_query *query)
{
    forward_udp_leave(query);
    forward_tcp_leave(query);
    if (query->has_id)
        query->forward->by_id[dns_id(query->bytes)] = 0;
    query->has_id = false;
    forward_move(query, NULL);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void finish(struct forward_query *query, const struct forward_answer *answer)
{
    struct forward_counters *counters = &query->forward->counters;
    forward_done_fn *done = query->done;
    void *arg = query->arg;
    forward_release(query);
    if (done == NULL)
        return;
    if (answer->reason == FORWARD_ANSWERED)
        counters->answered++;
    else
        counters->failed++;
    done(arg, answer);
}

void forward_finish_failed(struct forward_query *query)
{
    struct forward_answer answer = {.reason = query->reason};
    finish(query, &answer);
}

/* --- what upstreams did ----------------------------------------------------------------------- */

static void log_upstream(int level, const char *event, const struct upstream *upstream,
                         const char *reason)
{
    char address[HAR_ADDRESS_TEXT_MAX], port[8];
    snprintf(port, sizeof port, "%u", upstream->config.port);
    log_event(level, event, "address", har_address_format(&upstream->config.address, address),
              "port", port, "reason", reason, NULL);
}

static void note_failed(struct forward *forward, unsigned place, int64_t sent_us,
                        enum forward_reason reason)
{
    struct upstream *upstream = &forward->places[place].upstream;
    if (upstream_failed(upstream, har_now_us(), sent_us))
        log_upstream(LOG_WARNING, "upstream-dead", upstream, forward_reason_text(reason));
}

static void note_answered(const struct forward_query *query, int64_t now_us)
{
    struct upstream *upstream = &query->forward->places[query->place].upstream;
    int64_t rtt_us = now_us - query->sent_us;
    if (query->tcp != NULL)
        rtt_us = 0;
    else if (rtt_us <= 0)
        rtt_us = 1;
    if (upstream_succeeded(upstream, now_us, (uint32_t)rtt_us))
        log_upstream(LOG_NOTICE, "upstream-back", upstream, NULL);
}

/* SERVFAIL and REFUSED may be right: then all say so. Who said it of what another one knew is not
 * to be preferred. */
static void note_poor(const struct forward_query *query)
{
    for (unsigned place = 0; query->past.poor >> place != 0; place++) {
        if (query->past.poor & bit(place))
            note_failed(query->forward, place, query->sent_us, FORWARD_SERVFAIL);
    }
}

/* What failed try means for the query, and for the upstream. Not that it could be local. */
static void note_try(struct forward_query *query, enum forward_reason reason)
{
    struct forward_past *past = &query->past;
    uint32_t place = bit(query->place);
    query->reason = reason;
    switch (reason) {
    case FORWARD_SERVFAIL:
    case FORWARD_REFUSED:
        past->poor |= place;
        past->spent |= place;
        return;
    case FORWARD_TIMEOUT:
        query->forward->counters.timeouts++;
        if (past->tried & place)
            past->spent |= place;
        past->tried |= place;
        break;
    case FORWARD_MALFORMED:
    case FORWARD_UNREACHABLE:
        past->spent |= place;
        break;
    case FORWARD_LOCAL_ERROR:
    case FORWARD_NO_UPSTREAM:
    case FORWARD_ANSWERED:
        past->spent |= place;
        return;
    }
    note_failed(query->forward, query->place, query->sent_us, reason);
}

/* --- tries ------------------------------------------------------------------------------------ */

/* The best place without these bits; -1: none. */
static int best_place(const struct forward *forward, uint32_t without)
{
    int best = -1;
    for (int i = 0; i < FORWARD_PLACES; i++) {
        const struct forward_place *place = &forward->places[i];
        if (!place->used || place->leaving || (without & bit((unsigned)i)))
            continue;
        if (best < 0 || upstream_better(&place->upstream, &forward->places[best].upstream))
            best = i;
    }
    return best;
}

static int next_place(const struct forward_query *query)
{
    if (query->tries >= TRIES_MAX)
        return -1;
    int place = best_place(query->forward, query->past.tried | query->past.spent);
    return place >= 0 ? place : best_place(query->forward, query->past.spent);
}

/* Deadlines come in the order in which they are set, as the limit is the same for all. */
static void wait_for_answer(struct forward_query *query)
{
    struct forward *forward = query->forward;
    query->deadline_us = query->sent_us + (int64_t)forward->timeout_ms * 1000;
    forward_move(query, &forward->waiting);
    if (!ev_is_active(&forward->timer)) {
        ev_timer_set(&forward->timer, forward->timeout_ms / 1000., 0.);
        ev_timer_start(forward->loop, &forward->timer);
    }
}

bool forward_try_at(struct forward_query *query, unsigned place)
{
    query->place = place;
    query->tries++;
    query->sent_us = har_now_us();
    query->forward->counters.tries++;
    take_id(query);
    enum forward_reason reason = forward_udp_send(query);
    if (reason != FORWARD_ANSWERED) {
        forward_leave_try(query);
        note_try(query, reason);
        return false;
    }
    wait_for_answer(query);
    return true;
}

bool forward_go_on(struct forward_query *query)
{
    for (int place; (place = next_place(query)) >= 0;) {
        if (forward_try_at(query, (unsigned)place))
            return true;
    }
    return false;
}

void forward_try_failed(struct forward_query *query, enum forward_reason reason)
{
    forward_leave_try(query);
    note_try(query, reason);
    if (query->done == NULL || !forward_go_on(query))
        forward_finish_failed(query);
}

/* --- answers ---------------------------------------------------------------------------------- */

enum verdict {
    ANSWER_OTHER,
    ANSWER_TRUNCATED,
    ANSWER_SERVFAIL,
    ANSWER_REFUSED,
    ANSWER_CUT,
    ANSWER_GOOD
};

/* Old servers answer what they do not understand with a header alone. */
static bool is_error_header(const uint8_t *bytes)
{
    unsigned rcode = dns_rcode(bytes);
    return (rcode == DNS_FORMERR || rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP ||
            rcode == DNS_REFUSED) &&
           dns_entries(bytes, DNS_QUESTION) == 0 && dns_entries(bytes, DNS_ANSWER) == 0;
}

static enum verdict judge(const struct forward_query *query, const uint8_t *bytes, size_t count)
{
    if (!dns_is_response(bytes) || dns_opcode(bytes) != dns_opcode(query->bytes))
        return ANSWER_OTHER;
    if (!is_error_header(bytes)) {
        if (dns_entries(bytes, DNS_QUESTION) != 1 || count < query->question_end)
            return ANSWER_CUT;
        if (!dns_same_question(query->bytes, query->question_end, bytes, count))
            return ANSWER_OTHER;
    }
    if (dns_is_truncated(bytes) && query->tcp == NULL)
        return ANSWER_TRUNCATED;
    if (dns_rcode(bytes) == DNS_SERVFAIL)
        return ANSWER_SERVFAIL;
    if (dns_rcode(bytes) == DNS_REFUSED)
        return ANSWER_REFUSED;
    return dns_is_whole(bytes, count) ? ANSWER_GOOD : ANSWER_CUT;
}

/* A probe has learned what it was for. */
static void go_on_over_tcp(struct forward_query *query)
{
    if (query->done == NULL) {
        forward_release(query);
        return;
    }
    forward_udp_leave(query);
    query->forward->counters.tcp++;
    query->sent_us = har_now_us();
    enum forward_reason reason = forward_tcp_start(query);
    if (reason == FORWARD_ANSWERED)
        wait_for_answer(query);
    else
        forward_try_failed(query, reason);
}

static void finish_good(struct forward_query *query, uint8_t *bytes, size_t count)
{
    struct forward_answer answer = {.bytes = bytes, .count = count};
    note_poor(query);
    dns_set_id(bytes, query->own_id);
    finish(query, &answer);
}

/* An answer that failed ends a probe as well; but it says nothing of an upstream that nobody else
 * could contradict. */
bool forward_take(struct forward_query *query, uint8_t *bytes, size_t count)
{
    enum verdict verdict = judge(query, bytes, count);
    if (verdict == ANSWER_GOOD || verdict == ANSWER_TRUNCATED)
        note_answered(query, har_now_us());
    switch (verdict) {
    case ANSWER_OTHER:
        return false;
    case ANSWER_TRUNCATED:
        go_on_over_tcp(query);
        break;
    case ANSWER_SERVFAIL:
        forward_try_failed(query, FORWARD_SERVFAIL);
        break;
    case ANSWER_REFUSED:
        forward_try_failed(query, FORWARD_REFUSED);
        break;
    case ANSWER_CUT:
        forward_try_failed(query, FORWARD_MALFORMED);
        break;
    case ANSWER_GOOD:
        finish_good(query, bytes, count);
        break;
    }
    return true;
}
