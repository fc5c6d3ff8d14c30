#include "hard/health.h"

#define SMOOTHING                                                                                  \
    4 /* a new sample counts for a quarter: three checks show a change, one does not */

const char *health_state_text(enum health_state state)
{
    switch (state) {
    case HEALTH_UNKNOWN:
        return "unknown";
    case HEALTH_UP:
        return "up";
    case HEALTH_DOWN:
        return "down";
    }
    return "?";
}

void health_init(struct health *health)
{
    *health = (struct health){.state = HEALTH_UNKNOWN};
}

static uint32_t smooth(uint32_t old, uint32_t sample)
{
    int64_t step = ((int64_t)sample - (int64_t)old) / SMOOTHING;
    return (uint32_t)((int64_t)old + step);
}

static void measure(struct health *health, uint32_t connect_us, uint32_t total_us)
{
    if (health->measured) {
        connect_us = smooth(health->connect_us, connect_us);
        total_us = smooth(health->total_us, total_us);
    }
    health->measured = true;
    health->connect_us = connect_us > 0 ? connect_us : 1; /* 0: never one */
    health->total_us = total_us > 0 ? total_us : 1;
}

/* A result that speaks against the state; `needed` of them in a row change it. The first result of
 * all decides alone. */
static bool oppose(struct health *health, enum health_state next, unsigned needed)
{
    health->streak++;
    if (health->state != HEALTH_UNKNOWN && health->streak < needed)
        return false;
    health->state = next;
    health->streak = 0;
    return true;
}

bool health_success(struct health *health, unsigned rise, uint32_t connect_us, uint32_t total_us)
{
    if (total_us > 0)
        measure(health, connect_us, total_us);
    if (health->state == HEALTH_UP) {
        health->streak = 0;
        return false;
    }
    return oppose(health, HEALTH_UP, rise);
}

bool health_failure(struct health *health, unsigned fall)
{
    if (health->state == HEALTH_DOWN) {
        /* An interrupted recovery starts over, its latency included. */
        health->streak = 0;
        health->measured = false;
        return false;
    }
    if (!oppose(health, HEALTH_DOWN, fall))
        return false;
    health->measured = false;
    return true;
}

bool health_confirming(const struct health *health)
{
    return health->streak > 0;
}
