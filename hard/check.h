/* One check of one endpoint, of whatever kind: started once, ended once, in one callback with one
 * result. check.c picks the kind; check_http.c, check_tls.c and check_tcp.c each do one.
 *
 * An answer is looked at up to 64 KiB; there it counts as whole. Redirects are not followed,
 * proxies not used, names not looked up. */
#ifndef HAR_HARD_CHECK_H
#define HAR_HARD_CHECK_H

#include <stdint.h>

#include "common/address.h"
#include "common/error.h"
#include "config/config.h"

struct ev_loop;

enum check_reason {
    REASON_OK,
    REASON_DNS_FAILED, /* the candidate's name did not resolve */
    REASON_CONNECT_REFUSED,
    REASON_CONNECT_TIMEOUT,
    REASON_UNREACHABLE,      /* no route to host or network, or ICMP said so */
    REASON_TLS_FAILED,       /* handshake or certificate */
    REASON_RESPONSE_TIMEOUT, /* connected, but no whole answer in time */
    REASON_BAD_STATUS,       /* a status that is not wanted, or no HTTP at all */
    REASON_BAD_BODY,         /* body, body_regex or expect not found */
    REASON_CLOSED,           /* the peer closed or reset before a whole answer */
    REASON_LOCAL_ERROR /* this machine could not check: no descriptor, no memory, a key file */
};

#define CHECK_DETAIL_MAX 120

/* The word of spec and logs: "ok", "connect-refused", ... Never NULL. */
const char *check_reason_text(enum check_reason reason);

struct check_result {
    enum check_reason reason;
    uint32_t connect_us;           /* TCP handshake; 0 when that failed */
    uint32_t total_us;             /* start of the check to its end */
    char detail[CHECK_DETAIL_MAX]; /* for the log: what was found ("status 503"), or empty; one line
                            of printable ASCII, whatever the server said */
};

/* Whom to ask and what. Owned by the endpoint, outlives the check; `check` may be exchanged for an
 * equal one (config_check_equal) while the check runs. */
struct check_target {
    struct har_address address;
    const struct config_check *check;
};

typedef void check_done_fn(void *arg, const struct check_result *result);

/* What all checks of a daemon share: the loop, one curl multi handle for each CA file, idle easy
 * handles. */
struct checker;

/* The loop must outlive it. Returns NULL with error set. Calls curl_global_init. The program should
 * ignore SIGPIPE: libcurl does not promise to keep it from us. */
struct checker *checker_new(struct ev_loop *loop, struct har_error *error);
/* No check may be running, and none be ending: not from within done. Takes NULL. */
void checker_free(struct checker *checker);

/* Starts a check. done is called exactly once, from the loop, never from within check_start and
 * never after check_cancel; the check is gone when done is called, and done may start another,
 * cancel others, or free the target. Errors on the way, even the first (no descriptor, no memory),
 * arrive there as a result. Returns NULL only when memory for the check itself is missing; then
 * done is never called. */
struct check *check_start(struct checker *checker, const struct check_target *target,
                          check_done_fn *done, void *arg);

/* Ends a check without a result and releases it. Takes NULL. */
void check_cancel(struct check *check);

#endif
