/* Publishes a ranking of COUNT made-up hosts, for measuring its readers.
 *
 *   publish_hosts PATH COUNT
 *
 * The hosts are svc-000000.eu.example.com and so on. Every one has one address of 10/8, every
 * other one a second. Prints "publish_us": the time that ranking_publish took. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "ranking/publish.h"
#include "ranking/schema.h"

#define COUNT_MAX 1000000u /* six digits */
#define VALID_S 3600

struct host {
    char name[sizeof "svc-000000.eu.example.com"];
    char addresses[sizeof "10.255.255.255 10.255.255.255"];
};

static void fill(struct host *host, struct ranking_row *row, unsigned place)
{
    unsigned high = place >> 8 & 255, low = place & 255;

    snprintf(host->name, sizeof host->name, "svc-%06u.eu.example.com", place % COUNT_MAX);
    if (place % 2)
        snprintf(host->addresses, sizeof host->addresses, "10.0.%u.%u 10.1.%u.%u", high, low, high,
                 low);
    else
        snprintf(host->addresses, sizeof host->addresses, "10.0.%u.%u", high, low);
    *row = (struct ranking_row){.name = host->name,
                                .status = RANKING_STATUS_ANSWER,
                                .addresses = host->addresses,
                                .answers = 1};
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int publish(const char *path, unsigned count)
{
    struct host *hosts = calloc(count, sizeof *hosts);
    struct ranking_row *rows = calloc(count, sizeof *rows);
    struct har_error error = {.code = HAR_OK};
    int64_t began_us, ended_us;
    int failed;

    if (!hosts || !rows) {
        perror("publish_hosts");
        exit(1);
    }
    for (unsigned i = 0; i < count; i++)
        fill(&hosts[i], &rows[i], i);

    began_us = now_us();
    failed = ranking_publish(path, rows, count, time(NULL) + VALID_S, &error);
    ended_us = now_us();
    free(hosts);
    free(rows);
    if (failed) {
        fprintf(stderr, "publish_hosts: %s\n", error.text);
        return 1;
    }
    printf("publish_us %lld\n", (long long)(ended_us - began_us));
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (count < 1 || count > COUNT_MAX) {
        fputs("usage: publish_hosts PATH COUNT (1 to 1000000)\n", stderr);
        return 2;
    }
    return publish(argv[1], (unsigned)count);
}
