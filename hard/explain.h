/* Why a host answers what it does, and what would change that, for a person. Pure: no clock, no
 * socket, no globals. */
#ifndef HAR_HARD_EXPLAIN_H
#define HAR_HARD_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hard/view.h"

#define EXPLAIN_NONE INT64_MIN /* a number that is not there */

/* See control.h for what each of them is. */
struct explanation {
    size_t winner, runner_up; /* places, or VIEW_NOBODY */
    int64_t gap_us, needed_us, held_s;
    const char **why; /* sentences without a full stop */
    size_t why_count;
    char *text; /* what they are in */
};

/* False without memory, and nothing to release. */
bool explain(const struct view *view, struct explanation *explanation);
void explanation_done(struct explanation *explanation);

#endif
