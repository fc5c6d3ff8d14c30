/* What the files of the monitor share. monitor.c: hosts, answers and publications;
 * monitor_check.c: the checks of an endpoint; monitor_names.c: candidates that are host names;
 * monitor_network.c: local faults; monitor_keep.c: what is remembered over restarts;
 * monitor_command.c: what an operator asks for. */
#ifndef HAR_HARD_MONITOR_RUN_H
#define HAR_HARD_MONITOR_RUN_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hard/link_watch.h"
#include "hard/monitor.h"
#include "hard/schedule.h"
#include "hard/stall.h"

struct monitor {
    struct monitor_parts parts; /* parts.ready: NULL once it was called */
    struct publisher *publisher;
    struct table *table; /* NULL before the first monitor_configure */
    struct stall stall;
    struct schedule_random random;
    double phase_s; /* of schedule_align_s */

    size_t descriptors_max; /* for checks and tripwires */
    size_t in_flight;       /* checks */
    size_t endpoints;       /* that are checked */
    size_t tripwires;

    struct link_watch *links; /* or NULL */
    struct local_fault fault;
    ev_timer fault_timer;   /* local_fault_tick */
    ev_timer recheck_timer; /* everything, for a change of the network that came too soon */
    int64_t rechecked_us;

    struct state *state; /* or NULL */
    char *state_path;
    ev_timer flush_timer;
    bool flush_urgent;       /* an override is not written yet */
    ev_timer override_timer; /* the next one to end */

    struct monitor_round *rounds;
};

/* --- monitor.c --------------------------------------------------------------------------------
 */

/* Ranks the host anew, and has its answer published if it changed. news: an endpoint's state is
 * another, so that a change is worth a line in the log. */
void monitor_update_answer(struct monitor *monitor, struct host *host, bool news);
/* The same whatever a local fault says: the operator spoke. */
void monitor_force_answer(struct monitor *monitor, struct host *host);
void monitor_update_answers(struct monitor *monitor);
/* Every endpoint has a result: the ranking that says so is the first good one. */
void monitor_request_if_ready(struct monitor *monitor);
/* Of every endpoint of the table. */
void monitor_each(const struct table *table, void (*visit)(struct endpoint *endpoint, void *arg),
                  void *arg);

/* --- monitor_check.c ---------------------------------------------------------------------------
 */

/* The first check of each endpoint that has had none, and what the configuration changed for the
 * others. */
void check_start_new(struct monitor *monitor);
/* The same for one host, whose names resolved. */
void check_start_host(struct monitor *monitor, struct host *host);
/* Checks it in delay_s, unless it is to be checked sooner anyway, or, if its check is under way,
 * when that has ended. */
void check_soon(struct endpoint *endpoint, double delay_s);
/* Checks everything, a millisecond apart. */
void check_all(struct monitor *monitor);
/* No check and no tripwire any more; it is the caller's to free. */
void check_stop(struct endpoint *endpoint);

/* --- monitor_names.c ---------------------------------------------------------------------------
 */

/* Watches the names of a table's candidates. */
void names_watch(struct monitor *monitor, struct table *table);
void names_unwatch(struct table *table);
/* It is down, again or still: if all of its name are, the name is asked for again. */
void names_endpoint_down(const struct endpoint *endpoint);
/* Asks for all names again. */
void names_refresh(struct monitor *monitor);

/* --- monitor_network.c -------------------------------------------------------------------------
 */

void network_init(struct monitor *monitor);
void network_done(struct monitor *monitor);
/* The endpoints are others: how many are checked, and the way to each. */
void network_count(struct monitor *monitor);
/* Those of one host are; before is what network_checked said of it. */
void network_recount(struct monitor *monitor, const struct host *host, size_t before);
/* How many of its endpoints are checked. */
size_t network_checked(const struct host *host);
/* The way to an endpoint is looked at before its first check. */
void network_look_at(struct endpoint *endpoint);
/* A result, before it is believed. */
void network_result(struct endpoint *endpoint, const struct check_result *result);

/* --- monitor_keep.c ---------------------------------------------------------------------------
 */

void keep_init(struct monitor *monitor);
/* Writes what is noted, and forgets the state, not what is in it. */
void keep_close(struct monitor *monitor);

/* A state that was opened and is not in use yet. */
struct kept {
    struct state *state;
    char *path;
};
/* Opens the state at config's path, unless it is in use. One that cannot be had is done without,
 * and the log says so; but HAR_ERR_BUSY, with error set, when another daemon has it. What was
 * opened is for keep_use or keep_discard. */
int keep_open(const struct monitor *monitor, const struct config *config, struct kept *kept,
              struct har_error *error);
void keep_discard(struct kept *kept);
/* In place of the one before, if there is a new one: true. A new one forgets what it held, takes
 * the newest history of the one before, and is to be told all: keep_note_all. */
bool keep_use(struct monitor *monitor, struct kept *kept);
/* What is remembered of the hosts of a table, which are fresh. */
void keep_restore(struct monitor *monitor, struct table *table);
/* The overrides of candidates that old had not. */
void keep_restore_overrides(struct monitor *monitor, struct table *table, const struct table *old);
/* All of the present table: the state is a new one, or it is the end. */
void keep_note_all(struct monitor *monitor);
/* Soon, not each time; at once when its state changed. */
void keep_note_endpoint(struct endpoint *endpoint, bool changed);
void keep_note_transition(const struct endpoint *endpoint, enum health_state was,
                          const struct check_result *result);
void keep_note_good(struct monitor *monitor, struct host *host);
void keep_note_override(struct monitor *monitor, const struct host *host,
                        const struct config_candidate *candidate);
void keep_forget_endpoint(struct monitor *monitor, const char *host,
                          const struct endpoint *endpoint);
/* What old had and table has not: hosts, and the endpoints that old was left with. */
void keep_forget_gone(struct monitor *monitor, const struct table *old, const struct table *table);

/* --- monitor_command.c -------------------------------------------------------------------------
 */

/* Rounds that wait for it take the result, or learn that none will come. */
void rounds_result(const struct endpoint *endpoint, const struct check_result *result);
void rounds_endpoint_gone(const struct endpoint *endpoint);
/* Ends the overrides whose time has come, and sets the timer for the next. */
void overrides_end(struct monitor *monitor);
void overrides_init(struct monitor *monitor);

#endif
