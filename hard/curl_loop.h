/* One curl multi handle that runs on a libev loop (curl_multi_socket_action). Knows nothing of
 * checks: an easy handle that is added here comes back through one callback when it has ended.
 *
 * Every easy handle must have CURLOPT_PRIVATE set to a struct that begins with a
 * struct curl_loop_socket, and must use one socket at a time. */
#ifndef HAR_HARD_CURL_LOOP_H
#define HAR_HARD_CURL_LOOP_H

#include <curl/curl.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/* The watcher of a transfer's socket. It lives in the transfer so that waiting for a socket can
 * never fail for lack of memory: libcurl would give up every transfer, not that one. */
struct curl_loop_socket {
    struct ev_io io;      /* first: its callback finds the rest by it */
    int64_t connected_us; /* monotonic: when it was known to be connected, since it was last
                             cleared; 0 before */
};

/* Called for each ended transfer, from the loop and never from within libcurl: it may add and
 * remove any easy handle, this one included. private is what CURLOPT_PRIVATE holds. */
typedef void curl_loop_ended_fn(void *private, CURLcode code);

struct curl_loop {
    struct ev_loop *ev;
    CURLM *multi;
    struct ev_timer timer;
    struct ev_prepare at_once; /* beside the timer, when that is due already */
    curl_loop_ended_fn *ended;
};

/* Prepares socket for its first transfer. */
void curl_loop_socket_init(struct curl_loop_socket *socket);

/* Both must outlive their use. Returns 0 or HAR_ERR_CURL. */
int curl_loop_init(struct curl_loop *loop, struct ev_loop *ev, curl_loop_ended_fn *ended,
                   struct har_error *error);
/* All easy handles must have been removed. */
void curl_loop_done(struct curl_loop *loop);

/* Starts a transfer. ended is called later, never from here. Returns false when libcurl refused,
 * for want of memory; then it is never called. */
bool curl_loop_add(struct curl_loop *loop, CURL *easy);

/* Ends a transfer, whether it has ended by itself or not, and closes its connection. ended is not
 * called any more. */
void curl_loop_remove(struct curl_loop *loop, CURL *easy);

#endif
