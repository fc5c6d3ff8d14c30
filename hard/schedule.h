/* When an endpoint is checked next. Pure: randomness and time are parameters, in milliseconds. */
#ifndef HAR_HARD_SCHEDULE_H
#define HAR_HARD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "hard/health.h"

/* State of a small random generator (splitmix64). Not for secrets. */
struct schedule_random {
    uint64_t state;
};

/* Delay of the first check of endpoint `place` of `count`: one after the other, a millisecond apart
 * and all within `interval_ms`, so that a few endpoints are known at once and thousands do not
 * start together. */
uint32_t schedule_first_ms(size_t place, size_t count, uint32_t interval_ms);

/* Delay after the first result: anywhere within the interval, so that the endpoints of one machine
 * and of a thousand machines that started together do not stay in step. At least a tenth of it. */
uint32_t schedule_second_ms(struct schedule_random *random, uint32_t interval_ms);

/* Delay between the starts of two further checks: the interval, give or take a tenth. */
uint32_t schedule_next_ms(struct schedule_random *random, uint32_t interval_ms);

/* Delay between the start of a check whose result is in `health` already and the next one; `first`:
 * it was the endpoint's first. After fast_interval, give or take a tenth, while a change is being
 * confirmed, or when the check left unknown what it was to find out. */
uint32_t schedule_after_ms(struct schedule_random *random, const struct config_check *check,
                           const struct health *health, bool first);

/* Starts share wakeups: at a thousand checks a second that saves a quarter of the daemon's CPU, and
 * at ten it changes nothing. Lengthens delay_s, counted from now_s, so that it ends on a multiple
 * of SCHEDULE_SLOT_S of a clock that is phase_s ahead; both in seconds, of any clock. Let the phase
 * differ between machines, or all of them ask their common server at the same moments. */
#define SCHEDULE_SLOT_S 0.005
double schedule_align_s(double now_s, double phase_s, double delay_s);

/* A phase for schedule_align_s: 0 to SCHEDULE_SLOT_S. */
double schedule_phase_s(struct schedule_random *random);

#endif
