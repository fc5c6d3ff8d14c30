/* Writes a whole ranking as one immutable SQLite file and renames it into place, so that a reader
 * sees the old one or the new one and never waits (doc/decisions/0001). */
#ifndef HAR_RANKING_PUBLISH_H
#define HAR_RANKING_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* One row of the table, as in schema.h. Strings belong to the caller. */
struct ranking_row {
    const char *name;   /* a key (common/name.h) */
    const char *status; /* RANKING_STATUS_* or another word of at most RANKING_STATUS_MAX bytes */
    const char *addresses; /* canonical texts, one blank between, best first */
    unsigned answers;      /* 1 to RANKING_ANSWERS_MAX */
    const char *alias_of;  /* a host name in the form of a key, or NULL */
    const char *weights;   /* a number for each address, or NULL: schema.h */
};

/* What limit of schema.h the row breaks, in words; NULL for a good one. */
const char *ranking_row_problem(const struct ranking_row *row);

/* rows are sorted by strcmp of name, each name once; other orders are refused, as is a row that
 * breaks a limit of schema.h. expires_s is Unix time in seconds. The file gets mode 0644 whatever
 * the umask. It is fsync'ed with its folder unless it lives in memory (tmpfs). The temporary file
 * beside path is "PATH.new". What stands at path and is not a ranking of har is never replaced
 * (HAR_ERR_VALUE), but for empty files, and for any file at the compiled-in path.
 * Returns 0, or HAR_ERR_IO, HAR_ERR_SQLITE, HAR_ERR_VALUE or HAR_ERR_MEMORY with error set: path,
 * step and reason. Then the old ranking stands untouched and no temporary file is left; only when
 * it is the folder that cannot be synchronized does the new ranking stand all the same. */
int ranking_publish(const char *path, const struct ranking_row *rows, size_t row_count,
                    int64_t expires_s, struct har_error *error);

#endif
