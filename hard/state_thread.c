#include "hard/state_thread.h"

#include <signal.h>
#include <string.h>

void state_thread_init(struct state_thread *thread)
{
    *thread = (struct state_thread){.started = false};
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->wanted, NULL);
    pthread_cond_init(&thread->idle, NULL);
}

static void stop(struct state_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    thread->quit = true;
    pthread_cond_signal(&thread->wanted);
    pthread_mutex_unlock(&thread->mutex);
    pthread_join(thread->id, NULL);
}

void state_thread_done(struct state_thread *thread)
{
    if (thread->started)
        stop(thread);
    state_writer_done(&thread->writer);
    batch_done(&thread->back);
    pthread_mutex_destroy(&thread->mutex);
    pthread_cond_destroy(&thread->wanted);
    pthread_cond_destroy(&thread->idle);
}

/* Writes without the mutex. The memory of what was written goes back without it, too. */
static void write_back(struct state_thread *thread)
{
    struct har_error outcome = {.code = HAR_OK};
    struct state_batch written = {.buckets = NULL};
    int code = state_writer_write(&thread->writer, &thread->back, thread->now_s, &outcome);
    pthread_mutex_lock(&thread->mutex);
    if (code == HAR_OK) {
        written = thread->back;
        thread->back = (struct state_batch){.buckets = NULL};
    }
    thread->outcome = outcome;
    thread->busy = false;
    pthread_cond_signal(&thread->idle);
    pthread_mutex_unlock(&thread->mutex);
    batch_done(&written);
}

static void *write_when_wanted(void *arg)
{
    struct state_thread *thread = arg;
    pthread_mutex_lock(&thread->mutex);
    while (!thread->quit) {
        if (!thread->busy) {
            pthread_cond_wait(&thread->wanted, &thread->mutex);
            continue;
        }
        pthread_mutex_unlock(&thread->mutex);
        write_back(thread);
        pthread_mutex_lock(&thread->mutex);
    }
    pthread_mutex_unlock(&thread->mutex);
    return NULL;
}

/* Signals are the loop's. */
static void start(struct state_thread *thread, struct har_error *error)
{
    sigset_t all, before;
    if (thread->started)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&thread->id, NULL, write_when_wanted, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->started = reason == 0;
    if (reason != 0)
        har_fail(error, HAR_ERR_IO, "%s: cannot write: no thread: %s", thread->writer.path,
                 strerror(reason));
}

/* What could not be written comes first: it is older. */
static void ask(struct state_thread *thread, struct state_batch *front, int64_t now_s)
{
    if (batch_is_empty(&thread->back)) {
        batch_done(&thread->back);
        thread->back = *front;
        *front = (struct state_batch){.buckets = NULL};
    }
    if (batch_is_empty(&thread->back))
        return;
    thread->now_s = now_s;
    thread->busy = true;
    pthread_cond_signal(&thread->wanted);
}

struct har_error state_thread_begin(struct state_thread *thread, struct state_batch *front,
                                    int64_t now_s, size_t *transitions)
{
    struct har_error no_thread = {.code = HAR_OK};
    start(thread, &no_thread);
    pthread_mutex_lock(&thread->mutex);
    if (!thread->started)
        thread->outcome = no_thread;
    struct har_error outcome = thread->outcome;
    if (thread->started && !thread->busy) {
        ask(thread, front, now_s);
        *transitions = thread->back.transition_count;
    }
    pthread_mutex_unlock(&thread->mutex);
    return outcome;
}

struct har_error state_thread_await(struct state_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    while (thread->busy)
        pthread_cond_wait(&thread->idle, &thread->mutex);
    struct har_error outcome = thread->outcome;
    pthread_mutex_unlock(&thread->mutex);
    return outcome;
}

bool state_thread_is_failing(struct state_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    bool failing = thread->outcome.code != HAR_OK;
    pthread_mutex_unlock(&thread->mutex);
    return failing;
}

const struct state_batch *state_thread_hold(struct state_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    return &thread->back;
}

void state_thread_release(struct state_thread *thread)
{
    pthread_mutex_unlock(&thread->mutex);
}
