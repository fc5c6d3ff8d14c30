/* Asks upstream resolvers: a question goes to the best of them, and to the next one until there is
 * an answer. Deals in messages as they are on the wire and changes nothing in them but the id.
 *
 *   - Over UDP, from a few connected sockets on random ports that are renewed all the time, with a
 *     random id for each try. An answer must come from the upstream asked, to that socket, with
 *     that id and question; whatever else comes, and what comes late or twice, is dropped (RFC 5452
 *     section 9).
 *   - A truncated answer is asked for again over TCP, at the same upstream (RFC 7766).
 *   - A try that is not answered in time, or answered with SERVFAIL, REFUSED or a message that is
 *     not whole, is followed by one at the next upstream; each is given two tries, and a question
 *     four, until it has failed. One that said SERVFAIL or REFUSED is not asked again.
 *   - Upstreams are chosen by hard/upstream.h, which learns from all this. A copy of a question
 * goes to one that is due for a probe.
 *
 * Nothing is cached. Lives on one loop. Logs when an upstream is dead, and when it is back. */
#ifndef HAR_HARD_FORWARD_H
#define HAR_HARD_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "config/config.h"

#define FORWARD_IN_FLIGHT_MAX 32768 /* half of all ids, so that a free one is soon found */

struct ev_loop;
struct forward;
struct forward_query;

/* Why there is no answer: what became of the last try. */
enum forward_reason {
    FORWARD_ANSWERED,
    FORWARD_TIMEOUT,
    FORWARD_SERVFAIL,
    FORWARD_REFUSED,
    FORWARD_MALFORMED,
    FORWARD_UNREACHABLE, /* nobody listens there, or there is no way */
    FORWARD_LOCAL_ERROR, /* no descriptor, no memory */
    FORWARD_NO_UPSTREAM  /* none is configured */
};

/* The word for logs. Never NULL. */
const char *forward_reason_text(enum forward_reason reason);

struct forward_answer {
    enum forward_reason reason;
    const uint8_t *bytes; /* with the id of the question; or NULL when there is no answer. Whole,
                             but what its records hold is not looked at */
    size_t count;
};

/* Called once for each query that was started, from the loop, unless it is cancelled before. The
 * answer is the forwarder's, valid for the call. May start and cancel queries and configure, but
 * not free the forwarder. */
typedef void forward_done_fn(void *arg, const struct forward_answer *answer);

/* in_flight_max: queries at a time, 1 to FORWARD_IN_FLIGHT_MAX, some 700 bytes each; probes are
 * among them. It has no upstreams yet. The loop stays the caller's. NULL with error set when there
 * is no memory. */
struct forward *forward_new(struct ev_loop *loop, size_t in_flight_max, struct har_error *error);

/* Cancels all queries. Takes NULL. */
void forward_free(struct forward *forward);

/* The upstreams from now on, at most CONFIG_UPSTREAMS_MAX, which may be none, and the time limit of
 * one try (which may only shorten that of those under way). Queries in flight go on; those at an
 * upstream that is gone are asked elsewhere. What is known of those that stay is kept. */
void forward_configure(struct forward *forward, const struct config_upstream *upstreams,
                       size_t count, uint32_t timeout_ms);

/* Asks. The query is copied: a message with one question, at most DNS_MESSAGE_MAX_BYTES. Never
 * calls done itself. The handle is valid until done is called or the query cancelled. NULL when too
 * many are in flight, when that is no query, or without memory; then done is never called. */
struct forward_query *forward_start(struct forward *forward, const uint8_t *query, size_t count,
                                    forward_done_fn *done, void *arg);

/* Forgets it; done will not be called. Takes NULL. */
void forward_cancel(struct forward_query *query);

/* Since forward_new. */
struct forward_counters {
    uint64_t queries;  /* started */
    uint64_t refused;  /* not started: too many in flight */
    uint64_t answered; /* with an answer */
    uint64_t failed;   /* without */
    uint64_t tries;    /* sent to an upstream, probes too */
    uint64_t probes;
    uint64_t tcp;      /* tries that went on over TCP */
    uint64_t timeouts; /* tries */
    uint64_t dropped;  /* messages that answered nothing that was asked, or too late, or twice */
};
const struct forward_counters *forward_counters(const struct forward *forward);

#endif
