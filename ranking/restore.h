/* Reads a published ranking back, for a daemon that starts again. Through SQLite: it has all the
 * time of the world, unlike lookup.c. */
#ifndef HAR_RANKING_RESTORE_H
#define HAR_RANKING_RESTORE_H

#include <stdint.h>

#include "common/error.h"
#include "ranking/publish.h"

/* Calls row for each row of the file at path that has not expired by now_s (Unix time in seconds),
 * in the order of their names; its strings are valid during the call. Rows that nobody could
 * publish again are passed over. Returns 0, also when the file does not exist, or HAR_ERR_SQLITE or
 * HAR_ERR_VALUE when it is damaged or not a ranking: rows seen until then were good ones. */
int ranking_restore(const char *path, int64_t now_s,
                    void (*row)(void *arg, const struct ranking_row *row), void *arg,
                    struct har_error *error);

#endif
