#include "har_config.h"

#include "tests/support/host_program.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKERS 16
#define WAVES 10
#define WAVE 20
#define CHILD_DEADLINE_S 10
#define VICTIMS 8
#define STORMS 300
#define STORM_STACK_BYTES                                                                          \
    65536 /* small enough that glibc keeps all of them for the next threads                        \
           */
#define SPIN_MAX 30000

/* --- Threads that look up until they are told to stop ------------------------------------------
 */

struct lookers {
    pthread_t threads[LOOKERS];
    void (*look)(void);
    atomic_bool stop;
    pthread_barrier_t began;
};

static void *look_until_stopped(void *argument)
{
    struct lookers *lookers = argument;
    lookers->look();
    pthread_barrier_wait(&lookers->began);
    while (!atomic_load(&lookers->stop))
        lookers->look();
    return NULL;
}

static void thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                         void *argument)
{
    errno = pthread_create(thread, attributes, run, argument);
    need(errno == 0, "pthread_create");
}

/* Returns once all of them have looked up. */
static void lookers_start(struct lookers *lookers, void (*look)(void))
{
    lookers->look = look;
    atomic_init(&lookers->stop, false);
    pthread_barrier_init(&lookers->began, NULL, LOOKERS + 1);
    for (int i = 0; i < LOOKERS; i++)
        thread_start(&lookers->threads[i], NULL, look_until_stopped, lookers);
    pthread_barrier_wait(&lookers->began);
}

static void lookers_stop(struct lookers *lookers)
{
    atomic_store(&lookers->stop, true);
    for (int i = 0; i < LOOKERS; i++)
        pthread_join(lookers->threads[i], NULL);
    pthread_barrier_destroy(&lookers->began);
}

/* --- Children of a program with threads ------------------------------------------------------- */

static void child_reap(void)
{
    int status;
    need(wait(&status) > 0, "wait");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fail("a child hung in its lookups for %d s", CHILD_DEADLINE_S);
    if (WIFSIGNALED(status))
        fail("a child died: %s", strsignal(WTERMSIG(status)));
    if (status != 0)
        fail("a child ended with status %d", WEXITSTATUS(status));
}

static void fork_one(int (*child_does)(void))
{
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        alarm(CHILD_DEADLINE_S);
        child_does();
        _exit(EXIT_SUCCESS);
    }
}

/* In waves, because the children have to compete with all the threads for processors. */
static void fork_among(void (*look)(void), int (*child_does)(void))
{
    struct lookers lookers;
    ask_everything();
    lookers_start(&lookers, look);
    for (int wave = 0; wave < WAVES; wave++) {
        for (int i = 0; i < WAVE; i++)
            fork_one(child_does);
        for (int i = 0; i < WAVE; i++)
            child_reap();
    }
    lookers_stop(&lookers);
}

/* A lock of the module would be held in some child for ever. */
void forks(void)
{
    fork_among(ask_module_once, ask_everything);
}

/* The children keep off getaddrinfo(3): glibc 2.36 has a lock of its own, for resolv.conf, that
 * some thread may hold at the fork, and a child then waits for it whatever the service. */
void forks_of_glibc(void)
{
    fork_among(ask_glibc_once, ask_module);
}

static int start_program(void)
{
    execl("/proc/self/exe", "host_program", "nothing-inherited", NULL);
    fail("execl: %s", strerror(errno));
}

/* None of them sees a descriptor that a thread had open at that moment. */
void programs_started(void)
{
    fork_among(ask_module_once, start_program);
}

/* --- Cancellation ----------------------------------------------------------------------------- */

struct storm {
    unsigned seed;
    pthread_attr_t attributes;
    pthread_barrier_t began;
};

static _Noreturn void *look_until_cancelled(void *argument)
{
    struct storm *storm = argument;
    ask_module_once();
    pthread_barrier_wait(&storm->began);
    for (;;) {
        ask_module_once();
        pthread_testcancel();
    }
}

/* Too short to sleep. */
static void spin(unsigned turns)
{
    for (volatile unsigned i = 0; i < turns; i++)
        ;
}

/* All threads are there at once, so that every storm needs the same stacks. */
static void storm_once(struct storm *storm)
{
    pthread_t victims[VICTIMS];
    for (int i = 0; i < VICTIMS; i++)
        thread_start(&victims[i], &storm->attributes, look_until_cancelled, storm);
    pthread_barrier_wait(&storm->began);
    for (int i = 0; i < VICTIMS; i++) {
        spin((unsigned)rand_r(&storm->seed) % SPIN_MAX);
        pthread_cancel(victims[i]);
    }
    for (int i = 0; i < VICTIMS; i++) {
        void *result;
        pthread_join(victims[i], &result);
        if (result != PTHREAD_CANCELED)
            fail("a cancelled thread ended otherwise");
    }
}

/* Not through getaddrinfo(3), where glibc 2.36 itself leaves a socket open; and not with
 * PTHREAD_CANCEL_ASYNCHRONOUS, for which glibc 2.36 may cancel a thread that forbade it just
 * before. The first storm loads what glibc cancels threads with. */
void cancelled(void)
{
    struct storm storm = {.seed = 1};
    pthread_barrier_init(&storm.began, NULL, VICTIMS + 1);
    pthread_attr_init(&storm.attributes);
    pthread_attr_setstacksize(&storm.attributes, STORM_STACK_BYTES);
    ask_everything();
    storm_once(&storm);
    ask_everything();
    holds_remember();
    for (int i = 0; i < STORMS; i++)
        storm_once(&storm);
    ask_everything();
    holds_compare();
}

/* --- Small stacks ----------------------------------------------------------------------------- */

struct task {
    int (*ask)(void);
};

static void *run_task(void *argument)
{
    const struct task *task = argument;
    task->ask();
    return NULL;
}

/* Past its end lies glibc's guard page. */
static void ask_on_small_stack(int (*ask)(void))
{
    struct task task = {ask};
    pthread_t thread;
    pthread_attr_t attributes;
    long bytes = sysconf(_SC_THREAD_STACK_MIN);
    ask_everything();
    pthread_attr_init(&attributes);
    errno = pthread_attr_setstacksize(&attributes, (size_t)bytes);
    need(errno == 0, "pthread_attr_setstacksize");
    thread_start(&thread, &attributes, run_task, &task);
    pthread_join(thread, NULL);
}

void small_stack(void)
{
    ask_on_small_stack(ask_module);
}

void small_stack_of_glibc(void)
{
    ask_on_small_stack(ask_glibc);
}
