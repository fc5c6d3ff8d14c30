/* Candidates that are host names: their addresses, over time.
 *
 * A name is asked for as long as somebody watches it: A, AAAA or both, each again when its TTL has
 * run out (a second to an hour, and up to a tenth later, so that a thousand names do not come
 * together). First questions are a millisecond apart. Nothing is kept but the addresses of now.
 *
 * When a question fails (no answer in time, SERVFAIL, a message that cannot be believed), the last
 * known addresses stay, and it is asked again after a second, then two, four and so on up to a
 * minute. They stay as well when the answer is that there is no such name, or no address: a broken
 * zone must not take away all servers. But when one family has no address (NODATA) and the last
 * answer for the other had some, those of the first are gone. After a "no" it is asked again when
 * its TTL has run out, at most a minute later.
 *
 * Lives on one loop. Logs one line when the state of a name changes or its addresses do. */
#ifndef HAR_HARD_CANDIDATES_H
#define HAR_HARD_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/error.h"

struct candidates;
struct candidate_watch;
struct ev_loop;
struct forward;

/* All addresses of the name, of the families wanted: IPv4 before IPv6, each family by its bytes, so
 * that another order in the DNS is no change. They are the caller's to read during the call.
 * complete: something has come of the question for each family, if only a failure; once that is so
 * it stays so, and that it has become so is told. count 0 comes at most once, as the first call,
 * and complete: it was asked for, and nothing was found. */
typedef void candidates_changed_fn(void *arg, const struct har_address *addresses, size_t count,
                                   bool complete);

/* Both stay the caller's and outlive it. NULL with error set without memory. */
struct candidates *candidates_new(struct ev_loop *loop, struct forward *forward,
                                  struct har_error *error);

/* After the last watch has ended; not from within changed. Takes NULL. */
void candidates_free(struct candidates *candidates);

/* Watches a name (a key, common/name.h, that is a host name). changed is called from the loop,
 * never from within this: at first when something is known, then whenever the addresses are others.
 * It may watch, unwatch (this one too) and refresh. Watches of one name that want the same
 * families, of which at least one, share its questions. NULL without memory. */
struct candidate_watch *candidates_watch(struct candidates *candidates, const char *name,
                                         bool want_ipv4, bool want_ipv6,
                                         candidates_changed_fn *changed, void *arg);

/* Addresses that an earlier run, or the one who watched before, knew: those of a family are among
 * the name's until something came of the question for it, and while nothing but failures came of
 * it. To be called right after candidates_watch. What finds no memory is left out. */
void candidates_recall(struct candidate_watch *watch, const struct har_address *addresses,
                       size_t count);

/* Asks again now; at most once in a second for one name, and names a millisecond apart, so perhaps
 * a little later. */
void candidates_refresh(struct candidate_watch *watch);

/* changed is not called any more. Takes NULL. */
void candidates_unwatch(struct candidate_watch *watch);

enum candidates_state {
    CANDIDATES_UNKNOWN,  /* nothing has come yet */
    CANDIDATES_RESOLVED, /* the addresses are those of the last answers */
    CANDIDATES_PARTLY,   /* those of one family are; the other has no answer that counts */
    CANDIDATES_NO_DATA,  /* the name has none */
    CANDIDATES_NO_NAME,  /* there is no such name */
    CANDIDATES_FAILED    /* a question is without an answer */
};

/* The word for logs. Never NULL. */
const char *candidates_state_text(enum candidates_state state);

/* Of a name, all its questions together. */
struct candidates_counters {
    uint64_t successes; /* addresses, or a "no" */
    uint64_t timeouts;
    uint64_t errors;   /* any other failure */
    uint64_t unusable; /* addresses that no server can have, dropped */
};
enum candidates_state candidates_state_of(const struct candidate_watch *watch,
                                          struct candidates_counters *counters);

#endif
