#include "hard/answer.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct writer {
    struct answer *answer;
    size_t length, weights_length;
    unsigned limit; /* addresses of one family */
    int family;     /* the only one, or AF_UNSPEC */
    const struct har_address *written[RANKING_ADDRESSES_MAX];
    unsigned count;
};

/* Endpoints may differ in the port of their check alone. */
static bool is_wanted(const struct writer *writer, const struct har_address *address)
{
    unsigned of_family = 0;
    if (writer->family != AF_UNSPEC && writer->family != address->family)
        return false;
    for (unsigned i = 0; i < writer->count; i++) {
        if (har_address_equal(writer->written[i], address))
            return false;
        of_family += writer->written[i]->family == address->family;
    }
    return of_family < writer->limit;
}

/* weight: as in a row. */
static void add_address(struct writer *writer, const struct har_address *address, int weight)
{
    struct answer *answer = writer->answer;
    const char *blank = writer->count > 0 ? " " : "";
    char text[HAR_ADDRESS_TEXT_MAX];
    if (!is_wanted(writer, address))
        return;
    writer->written[writer->count++] = address;
    writer->length += (size_t)sprintf(answer->addresses + writer->length, "%s%s", blank,
                                      har_address_format(address, text));
    writer->weights_length +=
        (size_t)sprintf(answer->weights + writer->weights_length, "%s%d", blank, weight);
}

/* best may be NULL when there is no address at all. */
static int only_family(const struct config_host *host, const struct har_address *best)
{
    switch (host->family) {
    case FAMILY_ANY:
        return AF_UNSPEC;
    case FAMILY_BEST:
        return best != NULL ? best->family : AF_UNSPEC;
    case FAMILY_IPV4:
        return AF_INET;
    case FAMILY_IPV6:
        return AF_INET6;
    }
    return AF_UNSPEC;
}

/* A group whole, and of the others of a family, who rank behind it, what `answers` leaves room for.
 */
static void add_answering(struct writer *writer, const struct rank_rules *rules,
                          const struct rank_entry *entries, size_t count, const size_t *order,
                          size_t answering)
{
    const struct rank_groups groups = rank_groups_of(rules, entries, count);
    for (size_t i = 0; i < answering; i++) {
        const struct rank_entry *entry = &entries[order[i]];
        enum rank_membership membership = rank_membership(rules, &groups, entry);
        int weight = membership != RANK_IN_NONE ? (int)entry->weight : 0;
        if (membership == RANK_IN_FAMILY && writer->family == AF_UNSPEC)
            weight = -weight;
        writer->limit = weight != 0 ? RANKING_ANSWERS_MAX : writer->answer->answers;
        add_address(writer, &entry->address, weight);
    }
    if (!groups.all.there)
        writer->answer->weights[0] = '\0';
}

/* In spite of everything: whom the operator drained only where nobody else is left. */
static void add_everybody(struct writer *writer, const struct rank_rules *rules,
                          const struct rank_entry *entries, const size_t *order, size_t count)
{
    size_t undrained = 0;
    while (undrained < count && rank_classify(rules, &entries[order[undrained]]) != RANK_DRAINED)
        undrained++;
    size_t wanted = undrained > 0 ? undrained : count;
    for (size_t i = 0; i < wanted; i++)
        add_address(writer, &entries[order[i]].address, 0);
}

static void add_failure_addresses(struct writer *writer, const struct config_host *host)
{
    for (size_t i = 0; i < host->failure_address_count; i++)
        add_address(writer, &host->failure_addresses[i], 0);
}

static void compose_failure(const struct config_host *host, const struct rank_rules *rules,
                            const struct rank_entry *entries, const size_t *order, size_t count,
                            struct answer *answer)
{
    const struct har_address *best = count > 0 ? &entries[order[0]].address : NULL;
    struct writer writer = {.answer = answer, .limit = RANKING_ANSWERS_MAX};
    answer->failing = true;
    switch (host->failure_mode) {
    case FAILURE_LAST:
        answer->last = true; /* and for a host that never had one, everybody */
        /* fall through */
    case FAILURE_ALL:
        if (best == NULL)
            answer->status = RANKING_STATUS_FORWARD;
        writer.family = only_family(host, best);
        add_everybody(&writer, rules, entries, order, count);
        break;
    case FAILURE_NONE:
        answer->status = RANKING_STATUS_FAIL;
        break;
    case FAILURE_FORWARD:
        answer->status = RANKING_STATUS_FORWARD;
        break;
    case FAILURE_ADDRESSES:
        writer.family = only_family(host, &host->failure_addresses[0]);
        add_failure_addresses(&writer, host);
        break;
    }
    if (answer->addresses[0] != '\0')
        answer->answers = RANKING_ANSWERS_MAX;
    answer->weights[0] = '\0';
}

void answer_compose(const struct config_host *host, const struct rank_entry *entries, size_t count,
                    const struct rank_leaders *leaders, struct answer *answer)
{
    const struct rank_rules rules = rank_rules_of(host);
    size_t order[RANK_ENTRIES_MAX];
    *answer = (struct answer){
        .status = RANKING_STATUS_ANSWER, .answers = host->answers, .leaders = *leaders};

    size_t answering = rank_answering(&rules, entries, count, leaders, order);
    if (answering == 0) {
        compose_failure(host, &rules, entries, order, count, answer);
        return;
    }
    const struct rank_entry *best = &entries[order[0]];
    struct writer writer = {.answer = answer, .family = only_family(host, &best->address)};
    answer->good = rank_classify(&rules, best) == RANK_ELIGIBLE;
    answer->leaders = rank_leaders_of(entries, order, answering);
    add_answering(&writer, &rules, entries, count, order, answering);
}
