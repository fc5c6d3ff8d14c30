/* What forwarding is made of, for forward.c and the files that do one transport each. */
#ifndef HAR_HARD_FORWARD_RUN_H
#define HAR_HARD_FORWARD_RUN_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "hard/dns_wire.h"
#include "hard/forward.h"
#include "hard/random.h"
#include "hard/upstream.h"

#define FORWARD_POOL 8           /* sockets of one upstream that take new queries */
#define FORWARD_INLINE_BYTES 512 /* of a query without malloc: nearly all are smaller */
#define FORWARD_PLACES (2 * CONFIG_UPSTREAMS_MAX) /* the old ones while the new ones come */

struct forward_tcp;
TAILQ_HEAD(forward_list, forward_query);

/* One UDP socket, connected to its upstream from a random port. */
struct forward_socket {
    struct forward *forward;
    struct forward_socket **home; /* in a pool; NULL: takes no new tries, closed by the last one */
    struct ev_io io;
    struct forward_list tries; /* that wait for an answer here */
    unsigned uses;             /* tries so far */
    int64_t opened_us;
};

/* A place among the upstreams; its number stays while it is configured. */
struct forward_place {
    bool used, leaving;
    struct upstream upstream;
    struct forward_socket *pool[FORWARD_POOL]; /* NULL: not open */
};

/* What of its upstreams a query has behind it: bits by place. */
struct forward_past {
    uint32_t tried; /* once, without an answer */
    uint32_t spent; /* not to be asked again */
    uint32_t
        poor; /* of those: said SERVFAIL or REFUSED, which another's answer shows to be wrong */
};

struct forward_query {
    struct forward *forward;
    TAILQ_ENTRY(forward_query) in_socket;
    TAILQ_ENTRY(forward_query) in_list; /* free, waiting or ended */
    struct forward_list *list;          /* which of these; NULL: none */
    forward_done_fn *done;              /* NULL for a probe */
    void *arg;
    uint8_t *bytes; /* with the id of the try */
    size_t count;
    size_t question_end;
    uint16_t own_id; /* the caller's */
    bool has_id;     /* forward->by_id knows it under that in bytes */
    unsigned tries;
    unsigned place; /* of the upstream that is tried */
    struct forward_past past;
    enum forward_reason reason; /* of the last try */
    int64_t sent_us, deadline_us;
    struct forward_socket *socket; /* or NULL */
    struct forward_tcp *tcp;       /* or NULL */
    uint8_t inline_bytes[FORWARD_INLINE_BYTES];
};

struct forward {
    struct ev_loop *loop;
    struct random random;
    struct forward_counters counters;
    struct forward_place places[FORWARD_PLACES];
    uint32_t timeout_ms;
    size_t in_flight, in_flight_max;
    size_t connections; /* TCP */
    struct forward_query *queries;
    struct forward_list free;
    struct forward_list waiting; /* under way, by deadline_us */
    struct forward_list ended;   /* failed where done must not be called */
    struct ev_timer timer;       /* for the first of waiting, or earlier */
    struct ev_timer late;        /* calls done for the ended ones */
    struct forward_socket
        *reading; /* whose messages are taken in; NULL when it was closed meanwhile */
    uint16_t by_id[UINT16_MAX + 1]; /* 1 + index into queries, 0 for none */
    uint8_t buffer[DNS_MESSAGE_MAX_BYTES + 1];
};

/* --- forward.c -------------------------------------------------------------------------------- */

/* Ends a query, whatever its state, without a word to its owner. */
void forward_release(struct forward_query *query);

/* A socket to the upstream of a query: not blocking, connected or connecting. -1 with errno. */
int forward_connect(const struct forward_query *query, int type);

/* --- forward_try.c ---------------------------------------------------------------------------- */

/* To the end of another list, or of none. */
void forward_move(struct forward_query *query, struct forward_list *list);

/* The end of a try, whatever came of it: nothing waits for it, nothing will find it. */
void forward_leave_try(struct forward_query *query);

/* Sends the query to this place. False when that failed. */
bool forward_try_at(struct forward_query *query, unsigned place);

/* Sends it to the best upstream that is left for it. False when there is none. */
bool forward_go_on(struct forward_query *query);

/* Tells the owner of a query that it failed, for the reason in it, and releases it. */
void forward_finish_failed(struct forward_query *query);

/* The query that goes under this id, or NULL. */
struct forward_query *forward_find(struct forward *forward, uint16_t id);

/* A message of at least a header has come for a query, from its upstream and under its id. May call
 * done. False when it is no answer to its question: nothing has happened. bytes are changed. */
bool forward_take(struct forward_query *query, uint8_t *bytes, size_t count);

/* The try has failed: the query goes on elsewhere, or ends and calls done. */
void forward_try_failed(struct forward_query *query, enum forward_reason reason);

/* The reason behind the errno of a call on a socket to an upstream. */
enum forward_reason forward_reason_of_errno(int error);

/* --- forward_udp.c ---------------------------------------------------------------------------- */

/* Sends. On success query->socket waits for the answer. */
enum forward_reason forward_udp_send(struct forward_query *query);
/* Its socket no longer waits for it. */
void forward_udp_leave(struct forward_query *query);
/* The sockets of a place take no new queries. */
void forward_udp_retire(struct forward_place *place);

/* --- forward_tcp.c ---------------------------------------------------------------------------- */

/* Asks over a connection of its own. On success query->tcp does the rest. */
enum forward_reason forward_tcp_start(struct forward_query *query);
/* Closes the connection. */
void forward_tcp_leave(struct forward_query *query);

#endif
