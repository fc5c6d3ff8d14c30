#include "hard/endpoint.h"

#include <stdlib.h>

const char *override_text(enum override override)
{
    switch (override) {
    case OVERRIDE_NONE:
        return "auto";
    case OVERRIDE_DRAIN:
        return "drain";
    case OVERRIDE_UP:
        return "up";
    case OVERRIDE_DOWN:
        return "down";
    }
    return "auto";
}

void endpoint_count(struct endpoint_counters *counters, const struct check_result *result,
                    int64_t now_s)
{
    switch (result->reason) {
    case REASON_OK:
        counters->successes++;
        break;
    case REASON_CONNECT_TIMEOUT:
    case REASON_RESPONSE_TIMEOUT:
        counters->timeouts++;
        break;
    case REASON_CONNECT_REFUSED:
    case REASON_UNREACHABLE:
    case REASON_TLS_FAILED:
        counters->connect_errors++;
        break;
    case REASON_BAD_STATUS:
    case REASON_BAD_BODY:
    case REASON_CLOSED:
        counters->response_errors++;
        break;
    case REASON_DNS_FAILED:
    case REASON_LOCAL_ERROR:
        counters->other_errors++;
        break;
    }
    if (result->reason != REASON_OK) {
        counters->last_failure_s = now_s;
        return;
    }
    counters->last_success_s = now_s;
    counters->last_connect_us = result->connect_us;
    counters->last_response_us = result->total_us;
}

struct endpoint *endpoint_new(struct host *host, const struct config_candidate *candidate,
                              const struct har_address *address)
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL)
        return NULL;
    endpoint->host = host;
    endpoint->candidate = candidate;
    endpoint->target = (struct check_target){*address, candidate->check};
    endpoint->since_us = ENDPOINT_SINCE_UNKNOWN;
    health_init(&endpoint->health);
    if (candidate->check->type == CHECK_NONE) {
        endpoint->health.state = HEALTH_UP;
        endpoint->answered = true;
    }
    return endpoint;
}
