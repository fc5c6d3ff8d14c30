/* A libcurl transfer that is prepared to ask one target: what http, https and tls checks share. The
 * connection goes to the target's address, the name is that of its check, and nothing outside of
 * these two decides: no resolver, proxy, redirect, .netrc, or earlier connection. */
#ifndef HAR_HARD_TRANSFER_H
#define HAR_HARD_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "common/address.h"
#include "common/error.h"
#include "hard/check.h"
#include "hard/curl_loop.h"

struct transfer;

/* Called once when a transfer that was started has ended by itself, from the loop. */
typedef void transfer_ended_fn(struct check *owner, CURLcode code);

/* Making an easy handle costs as much as a whole check, so those not in use are kept. */
struct transfer_pool {
    struct ev_loop *ev;
    struct ca_loop *loops; /* one for each CA file that a check ever used */
    struct transfer *idle;
    unsigned idle_count;
    const char *ca_file; /* libcurl's own; NULL when it was built without */
};

struct transfer {
    struct curl_loop_socket socket; /* first: see curl_loop.h */
    CURL *easy;                     /* options other than the common ones are the owner's to set */
    struct curl_loop *loop;         /* runs it; not for idle ones */
    struct check *owner;
    transfer_ended_fn *ended;
    struct transfer *next_idle;
    int socket_errno;  /* of socket(2), when that failed */
    int64_t opened_us; /* monotonic: when the socket was */
    struct curl_slist connect_to;
    char connect_to_text[HAR_ADDRESS_TEXT_MAX + sizeof "::[]:65535"];
    char error[CURL_ERROR_SIZE];
};

int transfer_pool_init(struct transfer_pool *pool, struct ev_loop *loop, struct har_error *error);
/* All transfers must have been put back. */
void transfer_pool_done(struct transfer_pool *pool);

/* A transfer with the common options set for what owner checks. owner gives it back before it goes
 * away. NULL without memory. */
struct transfer *transfer_get(struct transfer_pool *pool, struct check *owner,
                              transfer_ended_fn *ended);
/* Returns false without memory. */
bool transfer_start(struct transfer *transfer);
/* Ends it if need be, closes its connection and keeps it for another check. Takes NULL. */
void transfer_put(struct transfer_pool *pool, struct transfer *transfer);

/* Both times, so far; connect_us stays 0 when no connection was made. */
void transfer_times(const struct transfer *transfer, struct check_result *result);

/* Ends owner's check for a transfer that failed with code (not CURLE_OK). */
void transfer_end_failed(const struct transfer *transfer, CURLcode code);

#endif
