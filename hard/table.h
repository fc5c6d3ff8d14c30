/* The hosts of one configuration, their endpoints and what they answer now. Built whole beside the
 * one before, inherits from it what stayed the same, and takes its place. No sockets, no clock: the
 * monitor has the endpoints checked and feeds their health. */
#ifndef HAR_HARD_TABLE_H
#define HAR_HARD_TABLE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "hard/check.h"
#include "hard/health.h"
#include "ranking/publish.h"

struct monitor;

/* One address of one host, checked in its own right. Allocated alone, because a timer and a check
 * in flight point to it while tables come and go around it. */
struct endpoint {
    struct monitor *monitor;
    struct host *host;
    const char *name; /* the candidate's label */
    struct check_target target;
    struct health health;
    bool answered; /* has had a result, or needs none */

    /* The monitor's. */
    bool started;          /* timer is initialised and runs, or its check does */
    ev_timer timer;        /* the next check */
    struct check *running; /* or NULL */
    int64_t started_us;    /* the check in flight */
    unsigned distorted;    /* results in a row whose times were not believed */
    bool local_error;      /* the last result was one */
};

struct host {
    const struct config_host *config;
    struct endpoint **endpoints; /* one for each candidate, in the order written */
    size_t endpoint_count;
    /* What it answers, as in ranking_row. */
    const char *status;
    char *addresses; /* NULL before the first answer */
    unsigned answers;
    bool failing;  /* nobody was eligible, failure_mode gave the answer */
    bool restored; /* the answer is that of an earlier run */
};

struct host_name; /* a name of a host: its own or an alias */

struct table {
    struct config *config; /* owned */
    struct host *hosts;    /* as config->hosts: sorted by name */
    size_t host_count;
    struct host_name *names;
    struct ranking_row *rows;
    size_t name_count;
    size_t unanswered; /* endpoints that have not answered */
};

/* Takes ownership of config unless it fails, which is NULL with error set. Every endpoint is
 * unknown but those of check none, which are up. No host has an answer. */
struct table *table_new(struct config *config, struct har_error *error);
/* Timers are stopped and checks cancelled already. */
void table_free(struct table *table);

/* Moves over from old, for hosts of the same name, the answer, and the endpoints whose address and
 * check are the same; old keeps fresh ones in their place. */
void table_inherit(struct table *table, struct table *old);

/* The answer of an earlier run for a host without one. It stands until no endpoint of the host is
 * unknown any more, or the best of then is down, or, if it named none of them, one is up. Passed
 * over unless it is one that the configuration can give. */
void table_restore(struct table *table, const struct ranking_row *row);

/* Notes the first result of an endpoint. */
void table_answered(struct table *table, struct endpoint *endpoint);

/* Ranks the host anew. Returns true when its answer changed, then *was is the addresses before,
 * NULL if there was none, for free(3). Without memory for the new answer the old one stays, until
 * the next call. */
bool host_update_answer(struct host *host, char **was);

/* The rows of all names whose host has an answer, sorted by name; valid until the next call or
 * change. */
const struct ranking_row *table_rows(struct table *table, size_t *count);

#endif
