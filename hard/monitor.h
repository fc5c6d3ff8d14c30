/* Hosts and their endpoints: has them checked, keeps their health, ranks them, and tells the
 * publisher when an answer changed. The one place where config, checks, health, rank and schedule
 * meet. Lives on one loop. */
#ifndef HAR_HARD_MONITOR_H
#define HAR_HARD_MONITOR_H

#include <stddef.h>

#include "common/error.h"
#include "config/config.h"
#include "hard/check.h"

struct ev_loop;
struct monitor;

/* Called once, when every endpoint has had its first result and the ranking that knows them was
 * published, or could not be. */
typedef void monitor_ready_fn(void *arg);

/* Nothing is checked before monitor_configure. checker must outlive it. NULL with error set. */
struct monitor *monitor_new(struct ev_loop *loop, struct checker *checker, monitor_ready_fn *ready,
                            void *arg, struct har_error *error);
void monitor_free(struct monitor *monitor);

/* Goes over to config and takes ownership of it: new endpoints start unknown, removed ones are
 * forgotten with their checks, and those whose host, address and check stayed the same keep their
 * health and the check in flight. The first time, the answers of the last ranking on disk stand
 * until results are in. Returns 0; or HAR_ERR_MEMORY or HAR_ERR_BUSY (another
 * daemon publishes there) with error set, everything as it was, and config still the caller's. */
int monitor_configure(struct monitor *monitor, struct config *config, struct har_error *error);

#endif
