/* The hosts of one configuration, their endpoints and what they answer now. Built whole beside the
 * one before, inherits from it what stayed the same, and takes its place. No sockets, no clock: the
 * monitor has the endpoints checked and feeds their health. */
#ifndef HAR_HARD_TABLE_H
#define HAR_HARD_TABLE_H

#include <stddef.h>

#include "config/config.h"
#include "hard/host.h"
#include "ranking/publish.h"

struct host_name; /* a name of a host: its own or an alias */

struct table {
    struct config *config; /* owned */
    struct host *hosts;    /* as config->hosts: sorted by name */
    size_t host_count;
    struct host_name *names;
    struct ranking_row *rows;
    size_t name_count;
    size_t unanswered; /* endpoints that have not answered, and names not heard of yet */
};

/* Takes ownership of config unless it fails, which is NULL with error set. Every endpoint is
 * unknown but those of check none, which are up. No host has an answer. */
struct table *table_new(struct config *config, struct har_error *error);
/* Timers are stopped and checks cancelled already. */
void table_free(struct table *table);

/* Moves over from old, for hosts of the same name, what stayed the same: see host_inherit. */
void table_inherit(struct table *table, struct table *old);

/* The answer of an earlier run for the host of that name: see host_restore. */
void table_restore(struct table *table, const struct ranking_row *row);

/* The host that has the name, its own or an alias: a key (common/name.h). Or NULL. */
struct host *table_find(const struct table *table, const char *name);

/* Endpoints came or went: unanswered is counted anew. */
void table_recount(struct table *table);

/* Notes the first result of an endpoint. */
void table_answered(struct table *table, struct endpoint *endpoint);

/* The rows of all names whose host has an answer, sorted by name; valid until the next call or
 * change. */
const struct ranking_row *table_rows(struct table *table, size_t *count);

#endif
