#include "hard/answer.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct writer {
    struct answer *answer;
    size_t length;
    unsigned limit; /* addresses of one family */
    const struct har_address *written[RANKING_ADDRESSES_MAX];
    unsigned count;
};

/* Candidates may differ in the port of their check alone. */
static bool is_wanted(const struct writer *writer, const struct har_address *address)
{
    unsigned of_family = 0;
    for (unsigned i = 0; i < writer->count; i++) {
        if (har_address_equal(writer->written[i], address))
            return false;
        of_family += writer->written[i]->family == address->family;
    }
    return of_family < writer->limit;
}

static void add_address(struct writer *writer, const struct har_address *address)
{
    if (!is_wanted(writer, address))
        return;
    writer->written[writer->count++] = address;
    if (writer->length > 0)
        writer->answer->addresses[writer->length++] = ' ';
    har_address_format(address, writer->answer->addresses + writer->length);
    writer->length += strlen(writer->answer->addresses + writer->length);
}

static void add_candidates(struct answer *answer, unsigned limit, const struct config_host *host,
                           const size_t *order, size_t count)
{
    struct writer writer = {.answer = answer, .limit = limit};
    answer->answers = limit;
    for (size_t i = 0; i < count; i++)
        add_address(&writer, &host->candidates[order[i]].address);
}

static void add_failure_addresses(struct answer *answer, const struct config_host *host)
{
    struct writer writer = {.answer = answer, .limit = RANKING_ANSWERS_MAX};
    answer->answers = RANKING_ANSWERS_MAX;
    for (size_t i = 0; i < host->failure_address_count; i++)
        add_address(&writer, &host->failure_addresses[i]);
}

void answer_compose(const struct config_host *host, const struct rank_entry *entries,
                    struct answer *answer)
{
    const struct rank_rules rules = {.selection = host->selection, .max_rtt_us = host->max_rtt_us};
    size_t order[CONFIG_CANDIDATES_MAX];
    *answer = (struct answer){.status = RANKING_STATUS_ANSWER, .answers = host->answers};

    size_t answering = rank_answering(&rules, entries, host->candidate_count, order);
    if (answering > 0) {
        add_candidates(answer, host->answers, host, order, answering);
        return;
    }
    answer->failing = true;
    switch (host->failure_mode) {
    case FAILURE_ALL:
        rank_sort(&rules, entries, host->candidate_count, order);
        add_candidates(answer, RANKING_ANSWERS_MAX, host, order, host->candidate_count);
        return;
    case FAILURE_NONE:
        answer->status = RANKING_STATUS_FAIL;
        return;
    case FAILURE_ADDRESSES:
        add_failure_addresses(answer, host);
        return;
    }
}
