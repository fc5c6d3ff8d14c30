/* Tables of hosts that are written as an operator would write them, and results for them as the
 * monitor would note them. For unit tests. */
#ifndef HAR_TESTS_SUPPORT_TABLE_TEXT_H
#define HAR_TESTS_SUPPORT_TABLE_TEXT_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hard/rank.h"
#include "hard/table.h"
#include "tests/support/unit.h"

/* hosts: without the outer braces. */
static inline struct table *table_of(const char *hosts)
{
    char path[] = "/tmp/har-check-table-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "{\"ranking_db\": \"/nowhere/ranking.db\", \"hosts\": {%s}}", hosts);
    ck_assert_int_eq(fclose(file), 0);

    struct config *config = NULL;
    struct config_report report = {0};
    int code = config_load(path, &config, &report);
    unlink(path);
    ck_assert_msg(code == 0, "%s", report.count > 0 ? report.lines[0] : "no line");
    config_report_done(&report);
    struct har_error error = {.code = HAR_OK};
    struct table *table = table_new(config, &error);
    ck_assert_ptr_nonnull(table);
    return table;
}

/* The next configuration takes over. Frees old. */
static inline struct table *table_next(struct table *old, const char *hosts)
{
    struct table *table = table_of(hosts);
    table_inherit(table, old);
    table_free(old);
    return table;
}

/* One result that decides; ms 0: it failed. */
static inline void table_result(struct table *table, struct endpoint *endpoint, double ms)
{
    uint32_t us = (uint32_t)(ms * 1000);
    health_init(&endpoint->health); /* nothing smoothed */
    if (ms > 0)
        health_success(&endpoint->health, 1, us, us);
    else
        health_failure(&endpoint->health, 1);
    if (!endpoint->answered)
        table_answered(table, endpoint);
}

/* What a name resolves to: addresses with blanks between. Frees the endpoints that leave. Returns
 * how many those were. */
static inline size_t host_resolve(struct host *host, size_t candidate, const char *list)
{
    struct har_address addresses[RANK_ENTRIES_MAX + 1];
    struct endpoint **gone = (void *)-1;
    size_t count = 0, gone_count = 99;
    char word[HAR_ADDRESS_TEXT_MAX];
    for (int used = 0; sscanf(list, " %45s%n", word, &used) == 1; list += used)
        ck_assert_int_eq(har_address_parse(word, &addresses[count++]), 0);
    ck_assert(host_resolved(host, &host->config->candidates[candidate], addresses, count, true,
                            &gone, &gone_count));
    for (size_t i = 0; i < gone_count; i++) {
        ck_assert_ptr_null(gone[i]->host);
        free(gone[i]);
    }
    free(gone);
    return gone_count;
}

/* What the operator says of its candidate, without end. */
static inline void override_endpoint(const struct endpoint *endpoint, enum override override)
{
    ck_assert(host_override(endpoint->host, endpoint->candidate, override, HOST_NO_END, NULL));
}

/* The addresses of its answer, brought up to date. */
static inline const char *host_answer_at(struct host *host, double now_s)
{
    char *was = NULL;
    if (host_update_answer(host, (int64_t)(now_s * 1e6), &was))
        free(was);
    return host->answer.addresses;
}

/* The addresses of its endpoints, in order. */
static inline const char *host_endpoints(const struct host *host)
{
    static char text[RANK_ENTRIES_MAX * HAR_ADDRESS_TEXT_MAX];
    char *end = text;
    text[0] = '\0';
    for (size_t i = 0; i < host->endpoint_count; i++) {
        char address[HAR_ADDRESS_TEXT_MAX];
        ck_assert_ptr_eq(host->endpoints[i]->host, host);
        end += sprintf(end, "%s%s", i > 0 ? " " : "",
                       har_address_format(&host->endpoints[i]->target.address, address));
    }
    return text;
}

#endif
