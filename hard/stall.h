/* Notices when the loop was late: a certificate bundle that was read, a large ranking that was
 * published, a machine that was suspended. What a check measured meanwhile is our time, not the
 * server's. Lives on one loop. */
#ifndef HAR_HARD_STALL_H
#define HAR_HARD_STALL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define STALL_US 5000 /* a round of the loop that takes longer counts */

struct stall {
    struct ev_loop *loop;
    ev_check woke;     /* a round begins */
    ev_prepare sleeps; /* it ends */
    int64_t woke_us;
    int64_t ended_us; /* when the last stall was over */
};

void stall_init(struct stall *stall, struct ev_loop *loop);
void stall_done(struct stall *stall);

/* Was the loop late since since_us, or is it now? Times are those of har_now_us. */
bool stall_since(const struct stall *stall, int64_t since_us);

#endif
