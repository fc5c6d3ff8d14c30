/* What a host answers: the ranking of its endpoints, cut and worded as a row of ranking.db.
 * Pure: no clock, no socket, no globals. */
#ifndef HAR_HARD_ANSWER_H
#define HAR_HARD_ANSWER_H

#include <stdbool.h>

#include "config/config.h"
#include "hard/rank.h"
#include "ranking/schema.h"

struct answer {
    const char *status; /* RANKING_STATUS_*: static */
    unsigned answers;   /* how many addresses one answer holds, per family asked for */
    bool failing;       /* nobody is eligible or unknown: failure_mode decided */
    char addresses[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX]; /* as in ranking/schema.h */
};

/* entries[i] stands for host->candidates[i]. Holds `answers` addresses of each family, best first
 * over both and each once, so that a reader can answer for either family or for both. With nobody
 * eligible or unknown, failure_mode decides: every candidate (up to RANKING_ANSWERS_MAX a family,
 * best known first), a failure, or the addresses given for that. */
void answer_compose(const struct config_host *host, const struct rank_entry *entries,
                    struct answer *answer);

#endif
