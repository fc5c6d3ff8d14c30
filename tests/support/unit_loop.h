/* For unit tests of what lives on a loop: waiting for events with a deadline. */
#ifndef HAR_TESTS_SUPPORT_UNIT_LOOP_H
#define HAR_TESTS_SUPPORT_UNIT_LOOP_H

#include <dirent.h>
#include <ev.h>

#include "tests/support/unit.h"

#define UNIT_DEADLINE_S 10.

static inline void unit_on_deadline(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)events;
    *(bool *)timer->data = true;
    ev_break(loop, EVBREAK_ONE);
}

/* Runs the loop until *count is wanted or more; false when it is not after seconds. */
static inline bool unit_loop_reaches(struct ev_loop *loop, const int *count, int wanted,
                                     double seconds)
{
    bool late = false;
    struct ev_timer deadline;
    ev_timer_init(&deadline, unit_on_deadline, seconds, 0.);
    deadline.data = &late;
    ev_now_update(loop);
    ev_timer_start(loop, &deadline);
    while (*count < wanted && !late)
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &deadline);
    return *count >= wanted;
}

/* Runs the loop until *count is wanted. */
static inline void unit_loop_until(struct ev_loop *loop, const int *count, int wanted)
{
    bool reached = unit_loop_reaches(loop, count, wanted, UNIT_DEADLINE_S);
    ck_assert_msg(reached && *count == wanted, "%d instead of %d", *count, wanted);
}

/* Runs the loop for some time, for what should not happen. */
static inline void unit_loop_for_ms(struct ev_loop *loop, int ms)
{
    int never = 0;
    unit_loop_reaches(loop, &never, 1, ms / 1000.);
}

static inline int unit_open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

#endif
