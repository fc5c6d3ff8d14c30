/* The running daemon: wires the rooms together and runs the loop. */
#ifndef HAR_HARD_DAEMON_H
#define HAR_HARD_DAEMON_H

#include "config/config.h"

/* Runs with config, which it takes ownership of, until a signal ends it; config_file is read again
 * for each reload. Logs what goes wrong. verbosity is added to the level of the log. Returns
 * EXIT_SUCCESS when it was stopped, EXIT_FAILURE when it could not start. */
int daemon_run(const char *config_file, struct config *config, int verbosity);

#endif
