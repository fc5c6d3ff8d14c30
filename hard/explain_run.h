/* Inside explain: what its files share. */
#ifndef HAR_HARD_EXPLAIN_RUN_H
#define HAR_HARD_EXPLAIN_RUN_H

#include <stdio.h>

#include "hard/explain.h"

/* Tells the sentences. */
struct teller {
    FILE *out; /* each is ended by a NUL */
    const struct view *view;
    const struct host *host;
    const struct explanation *explanation;
    struct rank_groups groups;
};

void explain_why(FILE *out, const struct view *view, const struct explanation *explanation);

/* The sentence of an endpoint, or two, or none. */
void explain_endpoint(const struct teller *teller, size_t place);

/* Parts of a sentence: "a", of a name "x.example.com (192.0.2.1)"; a limit, as it was written; and
 * the end. */
void explain_who(const struct teller *teller, size_t place);
void explain_duration(const struct teller *teller, uint32_t us);
void explain_end(const struct teller *teller);

#endif
