/* One daemon a ranking: a second one would undo what the first publishes, without a word. */
#ifndef HAR_RANKING_LOCK_H
#define HAR_RANKING_LOCK_H

#include "common/error.h"

/* Takes the lock of the ranking at path, flock(2) on "PATH.lock". Returns a descriptor that holds
 * it until it is closed, by the end of the process at the latest; or HAR_ERR_BUSY when another
 * process has it, or HAR_ERR_IO, with error set. */
int ranking_lock(const char *path, struct har_error *error);

#endif
