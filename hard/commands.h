/* What the control socket's commands do: they look at the monitor's hosts, or change something
 * there. hard/control.h says what they are told and answer. Lives on the monitor's loop. */
#ifndef HAR_HARD_COMMANDS_H
#define HAR_HARD_COMMANDS_H

#include <stdbool.h>

#include "common/error.h"
#include "config/config.h"

struct commands;
struct ev_loop;
struct monitor;

/* Reads the configuration again and goes over to it. False: the old one stands, and why is in the
 * lines of report, or in error if that has none. Both come empty, and report is released with
 * config_report_done by who called. It may call commands_listen. */
typedef bool commands_reload_fn(void *arg, struct config_report *report, struct har_error *error);

/* Listens nowhere yet. The loop and the monitor, which is configured before the loop runs, outlive
 * it. NULL with error set. */
struct commands *commands_new(struct ev_loop *loop, struct monitor *monitor,
                              commands_reload_fn *reload, void *arg, struct har_error *error);

/* Listens at path and nowhere else, as control_listen does. */
int commands_listen(struct commands *commands, const char *path, struct har_error *error);

/* Before the monitor ends, and not from within reload. Takes NULL. */
void commands_free(struct commands *commands);

#endif
