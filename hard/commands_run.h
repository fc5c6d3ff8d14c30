/* Inside the commands: what their files share. */
#ifndef HAR_HARD_COMMANDS_RUN_H
#define HAR_HARD_COMMANDS_RUN_H

#include "common/clock.h"
#include "hard/commands.h"
#include "hard/control.h"
#include "hard/monitor.h"
#include "hard/view.h"

struct commands {
    struct ev_loop *loop;
    struct monitor *monitor;
    struct control *control;
    commands_reload_fn *reload;
    void *arg;
    /* What is worked at for status in one round of the loop, whoever asked, ends then. */
    unsigned slice_round; /* ev_iteration */
    int64_t slice_until_us;
};

/* The host of that name, however it is written; or NULL, and it has answered that. name is what the
 * peer sent, or NULL. */
struct host *commands_host(const struct commands *commands, const char *name,
                           struct control_request *reply_to);

/* Why this machine is cut off, or NULL. */
const char *commands_local_fault(const struct commands *commands);

/* The host as it is now. */
void commands_view(const struct commands *commands, const struct host *host, struct view *view);

/* Those that have a file of their own. */
control_handler_fn commands_status, commands_check, commands_drain, commands_force, commands_auto;

#endif
