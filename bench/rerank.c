/* What one change costs the daemon, in process: ranking one host anew and publishing all.
 *
 *   rerank CONFIG CHANGES
 *
 * Every endpoint of CONFIG is up, with a latency of its own. Then the best one of one host after
 * the other goes down, and at the next visit comes back. Prints one line for each change: the
 * microseconds by the clock for ranking and for publishing, and those of the processor for both. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "config/config.h"
#include "hard/health.h"
#include "hard/table.h"
#include "ranking/publish.h"

#define VALID_S 600

static void die(const char *text)
{
    fprintf(stderr, "rerank: %s\n", text);
    exit(1);
}

static int64_t cpu_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static struct table *load(const char *path)
{
    struct config *config = NULL;
    struct config_report report = {0};
    struct har_error error = {.code = HAR_OK};
    struct table *table;

    if (config_load(path, &config, &report) != HAR_OK)
        die(report.count > 0 ? report.lines[0] : "out of memory");
    table = table_new(config, &error);
    if (!table)
        die(error.text);
    return table;
}

/* The first of a host is its fastest, and all are apart by more than the switch rules bridge. */
static void all_up(struct table *table)
{
    for (size_t i = 0; i < table->host_count; i++) {
        struct host *host = &table->hosts[i];

        for (size_t j = 0; j < host->endpoint_count; j++) {
            uint32_t us = (uint32_t)(j + 1) * 50000;

            health_success(&host->endpoints[j]->health, 1, us / 2, us);
            table_answered(table, host->endpoints[j]);
        }
    }
}

static void rank(struct host *host)
{
    char *was = NULL;

    if (!host_update_answer(host, har_now_us(), &was))
        die("a change that changes no answer");
    free(was);
}

static void publish(struct table *table)
{
    struct har_error error = {.code = HAR_OK};
    size_t count;
    const struct ranking_row *rows = table_rows(table, &count);

    if (ranking_publish(table->config->ranking_db, rows, count, time(NULL) + VALID_S, &error) != 0)
        die(error.text);
}

static void change(struct table *table, struct host *host)
{
    struct health *health = &host->endpoints[0]->health;
    int64_t began_us = har_now_us(), began_cpu_us = cpu_us(), ranked_us;

    if (health->state == HEALTH_UP)
        health_failure(health, 1);
    else
        health_success(health, 1, 1000, 2000);
    rank(host);
    ranked_us = har_now_us();
    publish(table);
    printf("%lld %lld %lld\n", (long long)(ranked_us - began_us),
           (long long)(har_now_us() - ranked_us), (long long)(cpu_us() - began_cpu_us));
}

int main(int argc, char **argv)
{
    struct table *table;
    unsigned long changes;

    if (argc != 3) {
        fputs("usage: rerank CONFIG CHANGES\n", stderr);
        return 2;
    }
    changes = strtoul(argv[2], NULL, 10);
    table = load(argv[1]);
    all_up(table);
    for (size_t i = 0; i < table->host_count; i++)
        rank(&table->hosts[i]);
    publish(table);
    for (unsigned long i = 0; i < changes; i++)
        change(table, &table->hosts[i % table->host_count]);
    table_free(table);
    return 0;
}
