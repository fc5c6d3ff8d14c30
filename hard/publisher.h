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
 * Returns 0; or with error set, and everything as it was, HAR_ERR_MEMORY, or HAR_ERR_BUSY when
 * another daemon publishes there. A folder that cannot be used now may be mended later: that is a
 * failed publication. */
int publisher_configure(struct publisher *publisher, const char *path, uint32_t max_stale_s,
                        struct har_error *error);

/* An answer changed: publish soon. Cheap, and as often as one likes. */
void publisher_request(struct publisher *publisher);

#endif
