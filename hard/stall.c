#include "hard/stall.h"

#include "common/clock.h"

static void on_woke(struct ev_loop *loop, ev_check *watch, int events)
{
    (void)loop;
    (void)events;
    struct stall *stall = watch->data;
    stall->woke_us = har_now_us();
}

static void on_sleeps(struct ev_loop *loop, ev_prepare *watch, int events)
{
    (void)loop;
    (void)events;
    struct stall *stall = watch->data;
    int64_t now_us = har_now_us();
    if (now_us - stall->woke_us > STALL_US)
        stall->ended_us = now_us;
}

void stall_init(struct stall *stall, struct ev_loop *loop)
{
    int64_t now_us = har_now_us();
    *stall = (struct stall){.loop = loop, .woke_us = now_us, .ended_us = now_us};
    ev_check_init(&stall->woke, on_woke);
    ev_prepare_init(&stall->sleeps, on_sleeps);
    stall->woke.data = stall->sleeps.data = stall;
    /* First to see a round begin and last to see it end. */
    ev_set_priority(&stall->woke, EV_MAXPRI);
    ev_set_priority(&stall->sleeps, EV_MINPRI);
    ev_check_start(loop, &stall->woke);
    ev_prepare_start(loop, &stall->sleeps);
}

void stall_done(struct stall *stall)
{
    ev_check_stop(stall->loop, &stall->woke);
    ev_prepare_stop(stall->loop, &stall->sleeps);
}

bool stall_since(const struct stall *stall, int64_t since_us)
{
    return stall->ended_us >= since_us || har_now_us() - stall->woke_us > STALL_US;
}
