/* What watching names is made of, for candidates.c (names, and who watches them) and
 * candidates_ask.c (what is asked of one, and what comes of it). */
#ifndef HAR_HARD_CANDIDATES_RUN_H
#define HAR_HARD_CANDIDATES_RUN_H

#include <ev.h>
#include <sys/queue.h>

#include "common/name.h"
#include "hard/candidates.h"
#include "hard/dns_message.h"
#include "hard/forward.h"
#include "hard/random.h"

#define FAMILIES 2 /* IPv4, IPv6 */

/* One of the two questions for a name. */
struct question {
    struct name *name;
    int family;
    bool wanted;
    struct forward_query *running; /* or NULL */
    struct ev_timer timer;         /* the next time */
    int64_t asked_us;              /* 0: not yet */
    uint32_t retry_s;              /* how long to wait after the next failure */
    bool plain;                    /* without EDNS, which was refused */
    enum candidates_state state;
    const char *reason;            /* of a failure, static text; or NULL */
    struct har_address *addresses; /* the last ones known, in order; or NULL */
    size_t count;
};

struct candidate_watch {
    TAILQ_ENTRY(candidate_watch) in_name;
    struct name *name;
    bool was_told, was_complete;
    unsigned generation; /* of the name, when it was told */
    candidates_changed_fn *changed;
    void *arg;
};

/* A name for those who want the same families of it. */
struct name {
    struct candidates *candidates;
    char key[HAR_NAME_MAX + 1];
    struct question questions[FAMILIES];
    unsigned generation; /* changes with the addresses */
    TAILQ_HEAD(, candidate_watch) watches;
    struct candidate_watch *next; /* to be told */
    bool telling;                 /* must not be freed */
    struct ev_timer tell;         /* those who came late */
    enum candidates_state state;  /* as logged */
    struct candidates_counters counters;
};

struct candidates {
    struct ev_loop *loop;
    struct forward *forward;
    struct random random;
    uint32_t second_ms;  /* 1000, but that tests have less time */
    void *names;         /* tree of struct name: tsearch(3) */
    int64_t next_ask_us; /* of a name that is new */
};

/* --- candidates.c ----------------------------------------------------------------------------- */

/* Calls changed for those to whom there is news. Frees the name when nobody watches it any more. */
void name_tell(struct name *name);

/* --- candidates_ask.c ------------------------------------------------------------------------- */

/* All zero before. */
void question_init(struct question *question, struct name *name, int family, bool wanted);
/* Asks from now on, if it is wanted; for the first time after_us from now. */
void question_start(struct question *question, int64_t after_us);
/* And no more; forgets the addresses. */
void question_stop(struct question *question);
/* Addresses to begin with, if nothing came of it yet. */
void question_recall(struct question *question, const struct har_address *addresses, size_t count);
/* Asks sooner, if it may: not before after_us from now. True if it will. */
bool question_refresh(struct question *question, int64_t after_us);
/* The worst of both questions, as soon as something is known of each. */
enum candidates_state name_state(const struct name *name);
/* The addresses of both, in order. */
size_t name_collect(const struct name *name,
                    struct har_address addresses[FAMILIES * DNS_ADDRESSES_MAX]);

#endif
