/* Keeps ranking.db true: publishes soon after a change and before rows expire, at the pace of
 * pace.h, and again after a failure. Lives on the loop that asks it to. */
#ifndef HAR_HARD_PUBLISHER_H
#define HAR_HARD_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "ranking/publish.h"

struct ev_loop;
struct publisher;

struct publisher_source {
    /* The rows as they are now, sorted by name; valid until the loop runs on. */
    const struct ranking_row *(*rows)(void *arg, size_t *count);
    /* A publication was tried. It may have failed: that is logged here, once until it changes. */
    void (*tried)(void *arg);
    void *arg;
};

/* source is copied. Publishes nothing before publisher_configure. NULL with error set. */
struct publisher *publisher_new(struct ev_loop *loop, const struct publisher_source *source,
                                struct har_error *error);
void publisher_free(struct publisher *publisher);

/* Where to, and for how many seconds a row may be believed. Copies path; asks for a publication.
 * Returns 0 or HAR_ERR_MEMORY, then everything stays as it was. */
int publisher_configure(struct publisher *publisher, const char *path, uint32_t max_stale_s);

/* An answer changed: publish soon. Cheap, and as often as one likes. */
void publisher_request(struct publisher *publisher);

#endif
