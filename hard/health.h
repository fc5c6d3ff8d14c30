/* What is known of one endpoint, from its results alone. Pure: no clock, no socket, no globals. */
#ifndef HAR_HARD_HEALTH_H
#define HAR_HARD_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

/* "unknown", "up", "down". Never NULL. */
const char *health_state_text(enum health_state state);

struct health {
    enum health_state state;
    unsigned streak;     /* consecutive results that speak against the state */
    bool measured;       /* the next success is smoothed into the two below */
    uint32_t connect_us; /* over successes; 0: never one. Kept while down, for "best known" */
    uint32_t total_us;   /* the same */
};

/* A new endpoint: unknown, nothing measured, both latencies 0. */
void health_init(struct health *health);

/* A check that succeeded. The first result of all decides alone; later, `rise` consecutive
 * successes bring an endpoint that is down up again. Both times are in microseconds and enter the
 * smoothed ones: new = old + (sample - old) / 4; the first success after a time down starts anew.
 * With a total_us of 0 nothing was measured and nothing enters. Returns true when the state
 * changed. */
bool health_success(struct health *health, unsigned rise, uint32_t connect_us, uint32_t total_us);

/* A check that failed; `fall` consecutive ones take an endpoint that is up down. Never enters the
 * latency. Returns true when the state changed. */
bool health_failure(struct health *health, unsigned fall);

/* True while a change is being confirmed: then the next check comes after fast_interval. */
bool health_confirming(const struct health *health);

#endif
