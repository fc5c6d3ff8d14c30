/* How good an upstream resolver has been of late. Pure: time is a parameter, that of har_now_us.
 *
 * Best is the fastest of those whose last try was answered. One that did not answer is not asked
 * again for as long as others do, except for probes: now and then a copy of a question, whose
 * answer nobody waits for. So a single lost packet costs it a second, and a dead upstream costs
 * nobody anything. When none answers, all are asked in turn. */
#ifndef HAR_HARD_UPSTREAM_H
#define HAR_HARD_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define UPSTREAM_DEAD 3 /* failures in a row that are worth a line in the log */
/* Between probes of one that fails, doubling from the first to the second. */
#define UPSTREAM_PROBE_MIN_MS 1000
#define UPSTREAM_PROBE_MAX_MS 30000
/* Between measurements of one that answers but is not the best. */
#define UPSTREAM_MEASURE_MS 30000

struct upstream {
    struct config_upstream config;
    unsigned place;     /* in the configuration */
    bool failing;       /* its last try was not answered, or not well */
    unsigned failures;  /* in a row */
    uint32_t srtt_us;   /* smoothed time of an answer; 0: not measured yet */
    int64_t last_ok_us; /* when it last answered */
    int64_t failed_us;  /* when it last failed */
    int64_t probe_us;   /* when it may be probed */
    uint32_t probe_wait_ms;
};

void upstream_init(struct upstream *upstream, const struct config_upstream *config, unsigned place,
                   int64_t now_us);

/* It answered a try; rtt_us 0: in a time that says nothing. True when it was dead. */
bool upstream_succeeded(struct upstream *upstream, int64_t now_us, uint32_t rtt_us);

/* It did not answer a try that was sent at sent_us. That counts only if nothing came from it since:
 * what was lost before is no news. True when it is dead now and was not before. */
bool upstream_failed(struct upstream *upstream, int64_t now_us, int64_t sent_us);

/* Should a be asked before b? */
bool upstream_better(const struct upstream *a, const struct upstream *b);

bool upstream_probe_due(const struct upstream *upstream, int64_t now_us);
void upstream_probed(struct upstream *upstream, int64_t now_us);

#endif
