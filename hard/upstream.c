#include "hard/upstream.h"

#define SMOOTHING 8 /* a new time counts for an eighth (RFC 6298) */

void upstream_init(struct upstream *upstream, const struct config_upstream *config, unsigned place,
                   int64_t now_us)
{
    *upstream = (struct upstream){.config = *config,
                                  .place = place,
                                  .last_ok_us = INT64_MIN,
                                  .failed_us = INT64_MIN,
                                  .probe_us = now_us, /* nothing is known of it */
                                  .probe_wait_ms = UPSTREAM_PROBE_MIN_MS};
}

static void measure(struct upstream *upstream, uint32_t rtt_us)
{
    if (rtt_us == 0)
        return;
    if (upstream->srtt_us == 0) {
        upstream->srtt_us = rtt_us;
        return;
    }
    int64_t step_us = ((int64_t)rtt_us - upstream->srtt_us) / SMOOTHING;
    upstream->srtt_us = (uint32_t)(upstream->srtt_us + step_us);
}

bool upstream_succeeded(struct upstream *upstream, int64_t now_us, uint32_t rtt_us)
{
    bool was_dead = upstream->failures >= UPSTREAM_DEAD;
    measure(upstream, rtt_us);
    upstream->failing = false;
    upstream->failures = 0;
    upstream->last_ok_us = now_us;
    upstream->probe_us = now_us + (int64_t)UPSTREAM_MEASURE_MS * 1000;
    upstream->probe_wait_ms = UPSTREAM_PROBE_MIN_MS;
    return was_dead;
}

bool upstream_failed(struct upstream *upstream, int64_t now_us, int64_t sent_us)
{
    if (sent_us < upstream->last_ok_us)
        return false;
    if (!upstream->failing)
        upstream->probe_us = now_us + (int64_t)upstream->probe_wait_ms * 1000;
    upstream->failing = true;
    upstream->failed_us = now_us;
    if (upstream->failures < UPSTREAM_DEAD)
        return ++upstream->failures == UPSTREAM_DEAD;
    return false;
}

/* 0 is best: answers in a known time, not asked yet, failing. */
static int class_of(const struct upstream *upstream)
{
    if (upstream->failing)
        return 2;
    return upstream->srtt_us > 0 ? 0 : 1;
}

/* Of those that fail, the one that was not tried for longest. */
bool upstream_better(const struct upstream *a, const struct upstream *b)
{
    if (class_of(a) != class_of(b))
        return class_of(a) < class_of(b);
    if (a->failing && a->failed_us != b->failed_us)
        return a->failed_us < b->failed_us;
    if (!a->failing && a->srtt_us != b->srtt_us)
        return a->srtt_us < b->srtt_us;
    return a->place < b->place;
}

bool upstream_probe_due(const struct upstream *upstream, int64_t now_us)
{
    return now_us >= upstream->probe_us;
}

void upstream_probed(struct upstream *upstream, int64_t now_us)
{
    upstream->probe_us = now_us + (int64_t)upstream->probe_wait_ms * 1000;
    upstream->probe_wait_ms *= 2;
    if (upstream->probe_wait_ms > UPSTREAM_PROBE_MAX_MS)
        upstream->probe_wait_ms = UPSTREAM_PROBE_MAX_MS;
}
