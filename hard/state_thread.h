/* The thread that writes, for state.c. The disk may take its time, most of all when SQLite
 * synchronizes its log, and no division of the work into small steps makes that shorter. */
#ifndef HAR_HARD_STATE_THREAD_H
#define HAR_HARD_STATE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "hard/state_write.h"

struct state_thread {
    struct state_writer writer; /* the thread's, once it runs */
    pthread_t id;
    bool started;
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t wanted, idle;
    bool busy; /* a write is asked for and not over: then only the thread changes back */
    bool quit;
    int64_t now_s;
    struct state_batch back;  /* what is being written, or could not be */
    struct har_error outcome; /* of the last write */
};

/* The writer is the caller's to initialise, before the first write. No thread runs yet: until then
 * the daemon may still change its user and its capabilities, which belong to a thread. */
void state_thread_init(struct state_thread *thread);
/* Ends the thread, after the write under way, and releases the writer too. */
void state_thread_done(struct state_thread *thread);

/* Begins a write, unless one is under way: of what could not be written before, or else of front,
 * which is empty then. *transitions becomes the number that are being written. Returns at once how
 * the write before ended. */
struct har_error state_thread_begin(struct state_thread *thread, struct state_batch *front,
                                    int64_t now_s, size_t *transitions);

/* Waits for the write under way, if there is one, and returns how the last one ended. */
struct har_error state_thread_await(struct state_thread *thread);

bool state_thread_is_failing(struct state_thread *thread);

/* What is not known to be written; nobody changes it before state_thread_release. */
const struct state_batch *state_thread_hold(struct state_thread *thread);
void state_thread_release(struct state_thread *thread);

#endif
