/* What a host answers: the ranking of its endpoints, cut and worded as a row of ranking.db.
 * Pure: no clock, no socket, no globals. */
#ifndef HAR_HARD_ANSWER_H
#define HAR_HARD_ANSWER_H

#include <stdbool.h>

#include "config/config.h"
#include "hard/rank.h"
#include "ranking/schema.h"

#define ANSWER_WEIGHT_TEXT_MAX 6 /* bytes: "-1000" and a blank */

struct answer {
    const char *status; /* RANKING_STATUS_*: static */
    unsigned answers;   /* how many addresses one answer holds, per family asked for */
    bool good;          /* somebody is eligible */
    bool failing;       /* nobody is eligible or unknown: failure_mode decided */
    bool last;          /* by FAILURE_LAST: below is for a host without a last good answer */
    struct rank_leaders leaders; /* who answers first; while failing those who led so far */
    char addresses[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX]; /* as in ranking/schema.h */
    char weights[RANKING_ADDRESSES_MAX * ANSWER_WEIGHT_TEXT_MAX]; /* the same; or empty: none */
};

/* Words the answer of a host with these endpoints, at most RANK_ENTRIES_MAX, and those who led so
 * far. Holds `answers`
 * addresses of each family that the host answers with, or its whole group (at most
 * RANKING_ANSWERS_MAX a family), best first over both and each once, so that a reader can answer
 * for either family or for both. With nobody eligible or unknown, failure_mode decides: every
 * endpoint that is not drained (up to RANKING_ANSWERS_MAX a family, best known first), a failure,
 * the next service, or the addresses given for that. Where every endpoint is asked for and there
 * is none, it is the next service, too. */
void answer_compose(const struct config_host *host, const struct rank_entry *entries, size_t count,
                    const struct rank_leaders *leaders, struct answer *answer);

#endif
