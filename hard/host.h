/* A host, its endpoints and what it answers now. No sockets, no clock: the monitor has the
 * endpoints checked and feeds their health. */
#ifndef HAR_HARD_HOST_H
#define HAR_HARD_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "hard/endpoint.h"
#include "hard/rank.h"
#include "ranking/publish.h"

/* An answer as in ranking_row. */
struct host_answer {
    const char *status; /* RANKING_STATUS_*: static */
    char *addresses;    /* NULL: none yet */
    char *weights;      /* NULL: no group */
    unsigned answers;
};

void host_answer_done(struct host_answer *answer);

/* Reads the next of its addresses. Returns what follows it, or NULL at the end or at nonsense. */
const char *host_answer_next(const char *addresses, struct har_address *address);

struct host_leader {
    const struct endpoint *endpoint; /* or NULL */
    int64_t switched_us;             /* when one was last left for a faster one; 0: never */
};

struct name_watch;

/* What is known of a candidate as a whole. */
struct host_candidate {
    bool resolved; /* not waiting to hear of its name for the first time */
    enum override override;
    int64_t override_until_us; /* monotonic, or HOST_NO_END */
    char *override_reason;     /* the operator's words, or NULL */
    struct name_watch *watch;  /* the monitor's, of its name; or NULL */
};

#define HOST_NO_END INT64_MAX

struct host {
    const struct config_host *config;
    struct host_candidate *candidates; /* of each one in config, at the same place */
    struct endpoint **endpoints; /* in the order written; none of a family that is not wanted */
    size_t endpoint_count;       /* at most RANK_ENTRIES_MAX */
    struct host_answer answer;   /* what it answers now */
    struct host_answer good;     /* FAILURE_LAST: the last one given by somebody eligible */
    bool good_is_new;            /* who remembers it clears this */
    bool failing;                /* nobody was eligible, failure_mode gave the answer */
    bool restored;               /* the answer is that of an earlier run */
    /* For the switch rules. Before the first round is over only who led in an earlier run does: who
     * happens to be checked first has not won yet. */
    bool settled;
    struct host_leader leader, leader_ipv4, leader_ipv6;
};

/* Every endpoint is unknown but those of check none, which are up. Candidates that are host names
 * have none yet. False without memory; host_done releases what there is. */
bool host_init(struct host *host, const struct config_host *config);
void host_done(struct host *host);

/* Is an address of that family to be an endpoint of the host? */
bool host_wants_family(const struct config_host *config, int family);

/* Endpoints that have not answered yet, and names not heard of. */
size_t host_unanswered(const struct host *host);

/* Is somebody's name still to be heard of for the first time? */
bool host_is_waiting(const struct host *host);

/* The addresses of a candidate that is a host name, as they are now, in any order: endpoints for
 * the new ones, unknown. Those whose address is gone leave the host: *gone is an array of
 * *gone_count for free(3), and they are the caller's to stop and free. complete: all that there is
 * to know; nobody waits for the name any more. count 0 means that none could be found: endpoints
 * that it has stay. What does not fit RANK_ENTRIES_MAX is left out. False without memory: then all
 * is as before, and *gone untouched. */
bool host_resolved(struct host *host, const struct config_candidate *candidate,
                   const struct har_address *addresses, size_t count, bool complete,
                   struct endpoint ***gone, size_t *gone_count);

/* The candidate of that label, or NULL. */
const struct config_candidate *host_find_candidate(const struct host *host, const char *label);
struct host_candidate *host_candidate_of(const struct host *host,
                                         const struct config_candidate *candidate);

/* Overrides a candidate: all endpoints that it has and will have. OVERRIDE_NONE ends it. It is the
 * caller who ends it in time. reason is copied, and may be NULL. False without memory, and all as
 * before. */
bool host_override(struct host *host, const struct config_candidate *candidate,
                   enum override override, int64_t until_us, const char *reason);

enum override endpoint_override(const struct endpoint *endpoint);

/* The endpoint of that candidate and address; or NULL. */
struct endpoint *host_find_endpoint(const struct host *host,
                                    const struct config_candidate *candidate,
                                    const struct har_address *address);

/* An address that the candidate, a host name, had in an earlier run: an endpoint, until
 * host_resolved knows better; it does not count as resolved. The endpoint, which may have been
 * there; NULL if it is not wanted, or without memory or room. */
struct endpoint *host_recall(struct host *host, const struct config_candidate *candidate,
                             const struct har_address *address);

/* Moves over from old, a host of the same name, the answer, what the switch rules remember, the
 * endpoints whose address and check are the same, and the overrides of candidates with the same
 * label. Names are not asked again: their endpoints come along. False without memory: then nothing
 * was moved. */
bool host_inherit(struct host *host, struct host *old);

/* The answer of an earlier run, for a host without one. It stands until every endpoint of the host
 * has had a result, and those that are up a latency, or its best is down or drained, or, if it
 * named none of them, one is up. Addresses of names that nobody could resolve so far stand longer:
 * until an endpoint is up. Passed over unless it is one that the configuration can give. */
void host_restore(struct host *host, const struct ranking_row *row);

/* The last good answer of an earlier run; with another failure_mode nothing. */
void host_restore_good(struct host *host, const struct ranking_row *row);

/* Ranks the host anew, unless nobody is there to be ranked yet; now_us is monotonic. Returns true
 * when its answer changed, then *was is the addresses before, NULL if there was none, for free(3).
 * Without memory for the new answer the old one stays, until the next call. */
bool host_update_answer(struct host *host, int64_t now_us, char **was);

/* A host as ranking sees it: entries at the places of its endpoints. */
struct host_ranking {
    struct rank_rules rules;
    struct rank_entry entries[RANK_ENTRIES_MAX];
    size_t count;
    struct rank_leaders leaders;
};
void host_ranking_of(const struct host *host, int64_t now_us, struct host_ranking *ranking);

#endif
