#include "hard/schedule.h"

#include <math.h>

/* splitmix64, by Sebastiano Vigna (public domain algorithm): one addition and three mixes, any seed
 * is a good one. */
static uint64_t next_random(struct schedule_random *random)
{
    random->state += 0x9e3779b97f4a7c15U;
    uint64_t mix = random->state;
    mix = (mix ^ (mix >> 30)) * 0xbf58476d1ce4e5b9U;
    mix = (mix ^ (mix >> 27)) * 0x94d049bb133111ebU;
    return mix ^ (mix >> 31);
}

/* Uniform in low..high, both included; a span of at most 32 bits makes the bias immaterial. */
static uint32_t between(struct schedule_random *random, uint32_t low, uint32_t high)
{
    uint64_t span = (uint64_t)high - low + 1;
    return low + (uint32_t)((next_random(random) >> 32) * span >> 32);
}

uint32_t schedule_first_ms(size_t place, size_t count, uint32_t interval_ms)
{
    if (count <= interval_ms)
        return (uint32_t)place;
    return (uint32_t)((uint64_t)place * interval_ms / count);
}

uint32_t schedule_second_ms(struct schedule_random *random, uint32_t interval_ms)
{
    return between(random, interval_ms / 10, interval_ms);
}

uint32_t schedule_next_ms(struct schedule_random *random, uint32_t interval_ms)
{
    uint32_t tenth = interval_ms / 10;
    return between(random, interval_ms - tenth, interval_ms + tenth);
}

/* Nothing is known of it, or not how fast it is, although it was checked. */
static bool needs_another(const struct health *health)
{
    return health->state == HEALTH_UNKNOWN || (health->state == HEALTH_UP && !health->measured);
}

uint32_t schedule_after_ms(struct schedule_random *random, const struct config_check *check,
                           const struct health *health, bool first)
{
    if (health_confirming(health) || needs_another(health))
        return schedule_next_ms(random, check->fast_interval_ms);
    return first ? schedule_second_ms(random, check->interval_ms)
                 : schedule_next_ms(random, check->interval_ms);
}

double schedule_align_s(double now_s, double phase_s, double delay_s)
{
    double end_s = now_s + phase_s + delay_s;
    double aligned_s = ceil(end_s / SCHEDULE_SLOT_S) * SCHEDULE_SLOT_S - now_s - phase_s;
    return aligned_s > delay_s ? aligned_s : delay_s; /* whatever the rounding did */
}

double schedule_phase_s(struct schedule_random *random)
{
    return between(random, 0, 1000) * SCHEDULE_SLOT_S / 1000;
}
