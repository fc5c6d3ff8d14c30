#include "hard/pace.h"

void pace_init(struct pace *pace, int64_t now_us)
{
    *pace = (struct pace){.credit_us = PACE_CREDIT_US, .at_us = now_us};
}

static int64_t credit_at(const struct pace *pace, int64_t now_us)
{
    int64_t credit = pace->credit_us + (now_us - pace->at_us) / PACE_SHARE;
    return credit < PACE_CREDIT_US ? credit : PACE_CREDIT_US;
}

int64_t pace_due_us(const struct pace *pace, int64_t now_us)
{
    int64_t debt = -credit_at(pace, now_us);
    int64_t wait = debt > 0 ? debt * PACE_SHARE : 0;
    return now_us + (wait > PACE_GATHER_US ? wait : PACE_GATHER_US);
}

void pace_spent(struct pace *pace, int64_t began_us, int64_t ended_us)
{
    pace->credit_us = credit_at(pace, ended_us) - (ended_us - began_us);
    pace->at_us = ended_us;
}
