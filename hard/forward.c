#include "hard/forward_run.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

/* --- words ------------------------------------------------------------------------------------ */

const char *forward_reason_text(enum forward_reason reason)
{
    switch (reason) {
    case FORWARD_ANSWERED:
        return "answered";
    case FORWARD_TIMEOUT:
        return "timeout";
    case FORWARD_SERVFAIL:
        return "servfail";
    case FORWARD_REFUSED:
        return "refused";
    case FORWARD_MALFORMED:
        return "malformed";
    case FORWARD_UNREACHABLE:
        return "unreachable";
    case FORWARD_LOCAL_ERROR:
        return "local-error";
    case FORWARD_NO_UPSTREAM:
        return "no-upstream";
    }
    return "unknown";
}

/* --- queries ---------------------------------------------------------------------------------- */

void forward_release(struct forward_query *query)
{
    forward_leave_try(query);
    if (query->bytes != query->inline_bytes)
        free(query->bytes);
    query->forward->in_flight--;
    forward_move(query, &query->forward->free);
}

static struct forward_query *new_query(struct forward *forward, const uint8_t *bytes, size_t count)
{
    struct forward_query *query = TAILQ_LAST(&forward->free, forward_list); /* still cached */
    uint8_t *copy = query->inline_bytes;
    if (query == NULL || (count > sizeof query->inline_bytes && (copy = malloc(count)) == NULL))
        return NULL;
    memcpy(copy, bytes, count);
    query->bytes = copy;
    query->count = count;
    query->own_id = dns_id(bytes);
    query->tries = 0;
    query->past = (struct forward_past){0};
    query->reason = FORWARD_NO_UPSTREAM;
    forward_move(query, NULL);
    forward->in_flight++;
    return query;
}

/* What is asked anyway may as well tell how another upstream does. Half of all room is for those
 * who wait for an answer. */
static void probe(const struct forward_query *query, int64_t now_us)
{
    struct forward *forward = query->forward;
    if (2 * forward->in_flight > forward->in_flight_max)
        return;
    for (unsigned i = 0; i < FORWARD_PLACES; i++) {
        struct forward_place *place = &forward->places[i];
        if (!place->used || i == query->place || !upstream_probe_due(&place->upstream, now_us))
            continue;
        struct forward_query *copy = new_query(forward, query->bytes, query->count);
        if (copy == NULL)
            return;
        copy->question_end = query->question_end;
        copy->done = NULL;
        forward->counters.probes++;
        upstream_probed(&place->upstream, now_us);
        if (!forward_try_at(copy, i))
            forward_release(copy);
        return;
    }
}

/* For where done must not be called. */
static void finish_late(struct forward_query *query)
{
    struct forward *forward = query->forward;
    forward_move(query, &forward->ended);
    ev_timer_start(forward->loop, &forward->late);
}

/* Those of now: done may add more. */
static void on_late(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct forward *forward = timer->data;
    struct forward_query *query;
    size_t count = 0;
    TAILQ_FOREACH(query, &forward->ended, in_list)
    count++;
    for (; count > 0 && !TAILQ_EMPTY(&forward->ended); count--)
        forward_finish_failed(TAILQ_FIRST(&forward->ended));
}

struct forward_query *forward_start(struct forward *forward, const uint8_t *bytes, size_t count,
                                    forward_done_fn *done, void *arg)
{
    size_t question_end;
    if (!dns_question(bytes, count, &question_end) || dns_is_response(bytes) ||
        count > DNS_MESSAGE_MAX_BYTES)
        return NULL;
    if (TAILQ_EMPTY(&forward->free)) {
        forward->counters.refused++;
        return NULL;
    }
    struct forward_query *query = new_query(forward, bytes, count);
    if (query == NULL)
        return NULL;
    query->question_end = question_end;
    query->done = done;
    query->arg = arg;
    forward->counters.queries++;
    if (forward_go_on(query))
        probe(query, query->sent_us);
    else
        finish_late(query);
    return query;
}

void forward_cancel(struct forward_query *query)
{
    if (query != NULL)
        forward_release(query);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)events;
    struct forward *forward = timer->data;
    int64_t now_us = har_now_us();
    struct forward_query *first;
    while ((first = TAILQ_FIRST(&forward->waiting)) != NULL && first->deadline_us <= now_us)
        forward_try_failed(first, FORWARD_TIMEOUT);
    ev_timer_stop(loop, timer);
    if (first != NULL) {
        ev_timer_set(timer, (double)(first->deadline_us - now_us) / 1e6, 0.);
        ev_timer_start(loop, timer);
    }
}

/* --- upstreams -------------------------------------------------------------------------------- */

static struct forward_place *find_place(struct forward *forward,
                                        const struct config_upstream *config)
{
    for (int i = 0; i < FORWARD_PLACES; i++) {
        struct forward_place *place = &forward->places[i];
        const struct config_upstream *known = &place->upstream.config;
        if (place->used && known->port == config->port && known->scope_id == config->scope_id &&
            har_address_equal(&known->address, &config->address))
            return place;
    }
    return NULL;
}

/* There are twice as many places as can stay and as can come. */
static struct forward_place *free_place(struct forward *forward)
{
    struct forward_place *place = forward->places;
    while (place->used)
        place++;
    return place;
}

static void place_upstreams(struct forward *forward, const struct config_upstream *upstreams,
                            size_t count)
{
    for (int i = 0; i < FORWARD_PLACES; i++)
        forward->places[i].leaving = true;
    for (size_t i = 0; i < count && i < CONFIG_UPSTREAMS_MAX; i++) {
        struct forward_place *place = find_place(forward, &upstreams[i]);
        if (place == NULL) {
            place = free_place(forward);
            place->used = true;
            upstream_init(&place->upstream, &upstreams[i], (unsigned)i, har_now_us());
        }
        place->upstream.place = (unsigned)i;
        place->leaving = false;
    }
}

/* A place that was left is another upstream when it is used again. */
static void forget(struct forward *forward, uint32_t left)
{
    for (size_t i = 0; i < forward->in_flight_max; i++) {
        struct forward_past *past = &forward->queries[i].past;
        past->tried &= ~left;
        past->spent &= ~left;
        past->poor &= ~left;
    }
}

/* Those at an upstream that leaves, asked elsewhere, are at the end of the list, where they are met
 * again and stay. */
static void move_queries(struct forward *forward)
{
    struct forward_query *next;
    for (struct forward_query *query = TAILQ_FIRST(&forward->waiting); query; query = next) {
        next = TAILQ_NEXT(query, in_list);
        if (!forward->places[query->place].leaving)
            continue;
        forward_leave_try(query);
        if (query->done == NULL)
            forward_release(query);
        else if (!forward_go_on(query))
            finish_late(query);
    }
}

/* Earlier deadlines stay; so they stay in order. */
static void shorten_waits(struct forward *forward)
{
    struct forward_query *query;
    int64_t latest_us = har_now_us() + (int64_t)forward->timeout_ms * 1000;
    TAILQ_FOREACH(query, &forward->waiting, in_list)
    {
        if (query->deadline_us > latest_us)
            query->deadline_us = latest_us;
    }
    ev_timer_stop(forward->loop, &forward->timer);
    ev_timer_set(&forward->timer, 0., 0.); /* sets itself */
    ev_timer_start(forward->loop, &forward->timer);
}

void forward_configure(struct forward *forward, const struct config_upstream *upstreams,
                       size_t count, uint32_t timeout_ms)
{
    uint32_t left = 0;
    forward->timeout_ms = timeout_ms;
    shorten_waits(forward);
    place_upstreams(forward, upstreams, count);
    move_queries(forward);
    for (unsigned i = 0; i < FORWARD_PLACES; i++) {
        struct forward_place *place = &forward->places[i];
        if (!place->leaving)
            continue;
        forward_udp_retire(place);
        place->used = place->leaving = false;
        left |= (uint32_t)1 << i;
    }
    forget(forward, left);
}

int forward_connect(const struct forward_query *query, int type)
{
    const struct config_upstream *upstream = &query->forward->places[query->place].upstream.config;
    struct sockaddr_storage peer;
    socklen_t size_bytes = har_address_to_sockaddr(&upstream->address, upstream->port, &peer);
    if (upstream->scope_id != 0)
        ((struct sockaddr_in6 *)&peer)->sin6_scope_id = upstream->scope_id;
    int fd = socket(upstream->address.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&peer, size_bytes) < 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* --- forward ---------------------------------------------------------------------------------- */

static void init_timers(struct forward *forward)
{
    ev_timer_init(&forward->timer, on_timer, 0., 0.);
    ev_timer_init(&forward->late, on_late, 0., 0.);
    forward->timer.data = forward->late.data = forward;
    /* When the loop was held up, first look what lies in the sockets. */
    ev_set_priority(&forward->timer, EV_MINPRI);
}

struct forward *forward_new(struct ev_loop *loop, size_t in_flight_max, struct har_error *error)
{
    struct forward *forward = calloc(1, sizeof *forward);
    struct forward_query *queries = calloc(in_flight_max, sizeof *queries);
    if (forward == NULL || queries == NULL) {
        free(forward);
        free(queries);
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    forward->loop = loop;
    forward->queries = queries;
    forward->in_flight_max = in_flight_max;
    TAILQ_INIT(&forward->free);
    TAILQ_INIT(&forward->waiting);
    TAILQ_INIT(&forward->ended);
    for (size_t i = 0; i < in_flight_max; i++) {
        queries[i].forward = forward;
        forward_move(&queries[i], &forward->free);
    }
    init_timers(forward);
    return forward;
}

void forward_free(struct forward *forward)
{
    if (forward == NULL)
        return;
    for (size_t i = 0; i < forward->in_flight_max; i++) {
        if (forward->queries[i].list != &forward->free)
            forward_release(&forward->queries[i]);
    }
    for (int i = 0; i < FORWARD_PLACES; i++)
        forward_udp_retire(&forward->places[i]);
    ev_timer_stop(forward->loop, &forward->timer);
    ev_timer_stop(forward->loop, &forward->late);
    free(forward->queries);
    free(forward);
}

const struct forward_counters *forward_counters(const struct forward *forward)
{
    return &forward->counters;
}
