/* state.db: what the daemon remembers over restarts. Endpoints with their counters, transitions,
 * what an operator overrode, and each host's last good answer.
 *
 * Whoever notes something is never held up: state_note_* and state_forget_* copy it into memory,
 * and a thread of state.c writes all of it in one transaction when state_flush asks for it
 * (doc/decisions/0006). All functions are for one thread, that of the loop; none calls back but
 * state_load_*, which do so before they return. All take a NULL state, which remembers nothing:
 * the daemon works without.
 *
 * Times are Unix seconds of the wall clock, which may be set at any time: see state_age_s. */
#ifndef HAR_HARD_STATE_H
#define HAR_HARD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/error.h"
#include "hard/check.h"
#include "hard/endpoint.h"
#include "hard/health.h"
#include "ranking/publish.h"

#define STATE_TRANSITIONS_KEPT 10000
#define STATE_KEPT_S (30 * 86400)        /* transitions; endpoints that nobody notes any more */
#define STATE_UNWRITTEN_TRANSITIONS 1000 /* further ones are dropped */
#define STATE_UNWRITTEN_ENTRIES 100000   /* endpoints, overrides and answers; likewise */

struct state;

/* --- What is remembered -------------------------------------------------------------------------
 * Strings given to a function are copied; those given to a callback are valid until it returns. */

/* host, candidate, address and port are the key. */
struct state_endpoint {
    const char *host;      /* its name in the configuration */
    const char *candidate; /* its label */
    struct har_address address;
    uint16_t port;     /* of the check, host order; 0 for none */
    uint64_t question; /* the caller's fingerprint of what the check asks: who finds another
                          one after a restart has been configured anew, and starts unknown */
    struct health health;
    int64_t since_s;          /* when health.state became what it is; 0: not known */
    enum check_reason reason; /* of the last result */
    struct endpoint_counters counters;
};

struct state_transition {
    int64_t time_s;
    const char *host, *candidate;
    struct har_address address;
    uint16_t port;
    enum health_state was, state;
    enum check_reason reason;
    const char *detail; /* as in check_result; never NULL */
};

/* host and candidate are the key. */
struct state_override {
    const char *host, *candidate;
    enum override kind; /* noted as OVERRIDE_NONE, it is forgotten */
    int64_t set_s;
    int64_t expires_s;  /* 0: never */
    const char *reason; /* the operator's words; never NULL */
};

/* --- Opening ------------------------------------------------------------------------------------
 */

/* Opens the state at path, or makes an empty one of mode 0600 whatever the umask; its folder is the
 * caller's to make, and should be private too. To be called as the user who will write. Takes
 * flock(2) of "PATH.lock" as long as it is open.
 *
 * What stands at path and cannot be used is moved out of the way and never overwritten, to
 * "PATH.damaged-YYYYMMDDTHHMMSS" (UTC, with "-2" and so on behind when that is taken), "-wal",
 * "-shm" and "-journal" along with it: a damaged state, one of a newer version, or a file of
 * another program. Then notice, which the caller cleared, holds a sentence for the log, and the
 * state is empty. Older versions are brought up to date.
 *
 * notice and error may be NULL. An open state holds up to five descriptors, and two more while it
 * is read.
 *
 * Returns NULL with error set when that is no way out; nothing is touched then, unless a new file
 * could not be made after an old one was moved, which notice tells:
 * HAR_ERR_BUSY    another daemon has it;
 * HAR_ERR_VALUE   not a regular file (a folder, a FIFO, a symbolic link); or a file of another
 *                 program which is not as private as a state is (another owner, a mode that lets
 *                 others in, a second name): that may be needed where it is;
 * HAR_ERR_IO, HAR_ERR_SQLITE, HAR_ERR_MEMORY   no folder, no permission, no room, no memory. */
struct state *state_open(const char *path, int64_t now_s, struct har_error *notice,
                         struct har_error *error);

/* Writes what is noted, waits for that, and releases everything, whether it could be written (0) or
 * not (as state_flush). */
int state_close(struct state *state, int64_t now_s, struct har_error *error);

/* --- Reading ------------------------------------------------------------------------------------
 * From the file, at once. Rows that make no sense are passed over and counted. Return 0, or
 * HAR_ERR_SQLITE or HAR_ERR_MEMORY with error set; rows seen until then were good ones. */

/* At start, before anything is noted. A callback that returns false knows nobody of that name: the
 * row is forgotten. Overrides that ended by now_s are not among them. An answer is a row with the
 * host as its name; alias_of is NULL. */
int state_load_endpoints(struct state *state,
                         bool (*known)(void *arg, const struct state_endpoint *endpoint), void *arg,
                         struct har_error *error);
int state_load_overrides(struct state *state, int64_t now_s,
                         bool (*known)(void *arg, const struct state_override *override), void *arg,
                         struct har_error *error);
int state_load_answers(struct state *state,
                       bool (*known)(void *arg, const struct ranking_row *answer), void *arg,
                       struct har_error *error);

/* At any time: the newest `limit` transitions of a host, or of all if host is NULL, in the order in
 * which they were noted, newest last, those not written yet among them. The callback must not call
 * into state.h. Reads them from disk: a hundred take half a millisecond, all 10,000 take 30. */
int state_load_history(struct state *state, const char *host, size_t limit,
                       void (*row)(void *arg, const struct state_transition *transition), void *arg,
                       struct har_error *error);

/* Seconds from then_s to now_s; 0 when the clock was set back meanwhile. */
int64_t state_age_s(int64_t then_s, int64_t now_s);
/* How long an override still holds: 0 when it ended, -1 when it has no end; never longer than it
 * was to hold in all, however the clock was set. */
int64_t state_override_left_s(const struct state_override *override, int64_t now_s);

/* --- Writing ------------------------------------------------------------------------------------
 * Each takes constant time and touches no disk. Of several with the same key the last one counts.
 * What finds no memory, or no room because nothing could be written for long, is dropped and
 * counted. */

void state_note_endpoint(struct state *state, const struct state_endpoint *endpoint);
void state_note_override(struct state *state, const struct state_override *override);
void state_note_answer(struct state *state, const struct ranking_row *answer); /* no alias_of */
/* Asks for a flush itself when half of STATE_UNWRITTEN_TRANSITIONS is used up. */
void state_note_transition(struct state *state, const struct state_transition *transition);

/* Only the key is looked at. */
void state_forget_endpoint(struct state *state, const struct state_endpoint *endpoint);
void state_forget_override(struct state *state, const char *host, const char *candidate);
void state_forget_answer(struct state *state, const char *host);

/* Has all that was noted written, and returns at once. The owner calls it every few seconds, or, if
 * it has thousands of endpoints, less often for the disk's sake: each flush writes the row of every
 * endpoint that was noted since. Overrides are safe from a power cut once they are written, the
 * rest a little later. While a write is still under way it does nothing.
 *
 * Returns 0, or how the last write ended: HAR_ERR_SQLITE, HAR_ERR_IO or HAR_ERR_MEMORY with error
 * set, once until that changes. What could not be written is kept for the next time. */
int state_flush(struct state *state, int64_t now_s, struct har_error *error);

/* The same, and waits until all is on disk; the error is told each time. For the end, and for
 * tests. */
int state_sync(struct state *state, int64_t now_s, struct har_error *error);

struct state_stats {
    size_t unwritten; /* entries and transitions noted since the last flush began */
    uint64_t dropped; /* notes that were lost, since the start */
    uint64_t skipped; /* rows that made no sense when they were loaded, likewise */
    bool failing;     /* the last write did not succeed */
};
struct state_stats state_stats(struct state *state);

#endif
