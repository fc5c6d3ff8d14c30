/* When to publish: soon after a change, together with the changes that come close behind it, and
 * never for more than a tenth of the time. Pure: times are monotonic microseconds given by the
 * caller. */
#ifndef HAR_HARD_PACE_H
#define HAR_HARD_PACE_H

#include <stdint.h>

#define PACE_GATHER_US 2000  /* a change waits this long for others */
#define PACE_SHARE 10        /* publishing takes at most one in so many microseconds */
#define PACE_CREDIT_US 20000 /* work that may come at once after a quiet time */

struct pace {
    int64_t credit_us; /* may be spent on publishing; negative after a long publication */
    int64_t at_us;     /* when credit_us was right */
};

void pace_init(struct pace *pace, int64_t now_us);

/* When to publish a change that was seen at now_us. Never before now_us + PACE_GATHER_US. */
int64_t pace_due_us(const struct pace *pace, int64_t now_us);

/* A publication ran from began_us to ended_us. */
void pace_spent(struct pace *pace, int64_t began_us, int64_t ended_us);

#endif
