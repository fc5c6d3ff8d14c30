/* An idle TCP connection to a server, kept open for one purpose: to hear at once that it is gone.
 * A server process that ends, crashes or is killed closes it; that takes no check interval to
 * learn. Lives on one loop. Never blocks.
 *
 * A trip is a reason to check, not a failure: servers close idle connections for reasons of their
 * own. So one trip is to cause one check, and the connection is only made again after a check that
 * succeeded. One that did not stay open for TRIPWIRE_STEADY_S is not made again before a delay of 1
 * s, which doubles each time, to what the owner says, and is forgotten by one that did. So are
 * connections that could not be made. One that is refused is a trip, too: nobody listens there any
 * more, whatever the check before it met. Of others nothing is heard here, the checks tell.
 *
 * A host that is dead, or no longer to be reached, says nothing: the kernel asks it (keepalive)
 * after 10 s of silence and every 2 s, and gives up after 16 s: REASON "timeout" below. That is one
 * small packet each way in 10 s for each tripwire. TCP_USER_TIMEOUT, which overrules the number of
 * probes, is set to give up at the same time.
 *
 * Whatever the server says is thrown away. One that says more than TRIPWIRE_CHATTER_BYTES is not
 * idle; it is left silently, as if it could not have been connected.
 *
 * Each tripwire holds one descriptor while it connects or is connected. Without one it waits like
 * after any failure. */
#ifndef HAR_HARD_TRIPWIRE_H
#define HAR_HARD_TRIPWIRE_H

#include <stdint.h>

#include "common/address.h"

struct ev_loop;
struct tripwire;

#ifndef TRIPWIRE_SECOND_S
#define TRIPWIRE_SECOND_S 1. /* a test's are shorter */
#endif
#define TRIPWIRE_CONNECT_S (3 * TRIPWIRE_SECOND_S)
#define TRIPWIRE_STEADY_S (50 * TRIPWIRE_SECOND_S) /* less than the minute of many servers */
#define TRIPWIRE_DELAY_S (1 * TRIPWIRE_SECOND_S)
#define TRIPWIRE_DELAY_MAX_S (300 * TRIPWIRE_SECOND_S)
#define TRIPWIRE_IDLE_S 10
#define TRIPWIRE_PROBE_S 2
#define TRIPWIRE_PROBES 3
#define TRIPWIRE_CHATTER_BYTES ((uint64_t)1024 * 1024)

enum tripwire_reason {
    TRIPWIRE_CLOSED, /* the server closed, or will send no more */
    TRIPWIRE_RESET,
    TRIPWIRE_TIMEOUT, /* its host does not answer any more */
    TRIPWIRE_REFUSED  /* and so there is none */
};

/* "closed", "reset", "timeout", "refused". Never NULL. */
const char *tripwire_reason_text(enum tripwire_reason reason);

/* The connection was open and is gone, or was refused. Called from the loop, never from within a
 * call below; may do anything, tripwire_close included. */
typedef void tripwire_tripped_fn(void *arg, enum tripwire_reason reason);

/* Begins to connect; so call it after a check that succeeded. port is in host order. delay_max_s:
 * the longest delay, up to TRIPWIRE_DELAY_MAX_S; with the interval of the checks, a server that
 * always hangs up costs no more than one connection more for each check. NULL without memory; every
 * other failure is as above. */
struct tripwire *tripwire_open(struct ev_loop *loop, const struct har_address *address,
                               uint16_t port, double delay_max_s, tripwire_tripped_fn *tripped,
                               void *arg);

/* A check after a trip failed: the server was gone indeed, so the connection was good for what it
 * is for. No delay. Takes NULL. */
void tripwire_was_right(struct tripwire *tripwire);

/* A check of that server succeeded: for every one, at any time. Makes the connection again if it is
 * gone, now or when the delay is over. Takes NULL. */
void tripwire_rearm(struct tripwire *tripwire);

/* Closes and frees it. Takes NULL. */
void tripwire_close(struct tripwire *tripwire);

#endif
