/* Read it first.
 *
 *   config_load --> monitor --> check         (starts checks, gets results)
 *                      |------> host, rank    (health, order: what a host answers)
 *                      |------> publisher     (ranking.db, which libnss_har reads)
 *                      |------> state         (state.db: what is remembered over restarts)
 *                      |<------ candidates    (addresses of host names, asked through forward)
 *                      |<------ link_watch    (what the kernel says of this machine's network)
 *                      '<------ commands      (the control socket: harctl) */
#include "har_config.h"

#include "hard/daemon.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "hard/candidates.h"
#include "hard/check.h"
#include "hard/commands.h"
#include "hard/forward.h"
#include "hard/log.h"
#include "hard/monitor.h"
#include "hard/notify.h"
#include "hard/resolv_conf.h"

#define QUESTIONS_MAX 4096 /* about candidates, in flight */

struct daemon {
    const char *config_file;
    struct ev_loop *loop;
    struct checker *checker;
    struct forward *forward;
    struct candidates *candidates;
    struct monitor *monitor;
    struct commands *commands;
    ev_signal reload, terminate, interrupt;
};

/* --- Configuration -----------------------------------------------------------------------------
 */

static void log_size(const char *event, const char *file, const struct config *config)
{
    char hosts[24], candidates[24];
    snprintf(hosts, sizeof hosts, "%zu", config->host_count);
    snprintf(candidates, sizeof candidates, "%zu", config_count_candidates(config));
    log_event(LOG_NOTICE, event, "version", PACKAGE_VERSION, "config", file, "hosts", hosts,
              "candidates", candidates, "ranking_db", config->ranking_db, NULL);
}

static void make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        chmod(path, mode); /* whatever the umask */
    else if (errno != EEXIST)
        log_event(LOG_WARNING, "mkdir-failed", "path", path, "error", strerror(errno), NULL);
}

/* A compiled-in folder is made: one under /run is empty after each boot. A folder that the operator
 * chose is the operator's to make. Failure shows when the file in it is made. mode: of the last
 * one. */
static void make_folders(const char *path, const char *compiled_in, mode_t mode)
{
    if (strcmp(path, compiled_in) != 0)
        return;
    char *folder = strdup(path);
    char *last = folder != NULL ? strrchr(folder, '/') : NULL;
    for (char *slash = last != NULL ? strchr(folder + 1, '/') : NULL; slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        make_folder(folder, slash == last ? mode : 0755);
        *slash = '/';
    }
    free(folder);
}

/* Every program reads the ranking; the state is nobody's business. */
static void prepare_folders(const struct config *config)
{
    make_folders(config->ranking_db, HAR_RANKING_DB, 0755);
    make_folders(config->control_socket, HAR_CONTROL_SOCKET, 0755);
    make_folders(config->state_db, HAR_STATE_DB, 0700);
    if (strcmp(config->ranking_db, HAR_RANKING_DB) != 0)
        log_event(LOG_WARNING, "ranking-elsewhere", "path", config->ranking_db, "libnss_har_reads",
                  HAR_RANKING_DB, NULL);
}

static bool has_names(const struct config *config)
{
    for (size_t i = 0; i < config->host_count; i++) {
        for (size_t j = 0; j < config->hosts[i].candidate_count; j++) {
            if (config->hosts[i].candidates[j].host_name != NULL)
                return true;
        }
    }
    return false;
}

static void use_upstreams(struct daemon *daemon, const struct config *config)
{
    struct config_upstream found[CONFIG_UPSTREAMS_MAX];
    const struct config_upstream *upstreams = config->upstreams;
    size_t count = config->upstream_count;
    if (upstreams == NULL) {
        count = resolv_conf_load(RESOLV_CONF, RESOLV_CONF_RESOLVED, NULL, 0, found);
        upstreams = found;
    }
    if (count == 0 && has_names(config))
        log_event(LOG_WARNING, "no-upstreams", "instead",
                  "candidates that are host names stay unresolved", NULL);
    forward_configure(daemon->forward, upstreams, count, config->upstream_timeout_ms);
}

/* Without its commands the daemon is as useful to everybody else. */
static void listen_for_commands(struct daemon *daemon, const char *path)
{
    struct har_error error = {.code = HAR_OK};
    if (commands_listen(daemon->commands, path, &error) != HAR_OK)
        log_event(LOG_ERR, "control-unusable", "path", path, "error", error.text, NULL);
}

/* Takes ownership of config unless it fails. */
static int apply(struct daemon *daemon, struct config *config, struct har_error *error)
{
    prepare_folders(config);
    use_upstreams(daemon, config); /* first: names are asked for at once */
    int code = monitor_configure(daemon->monitor, config, error);
    if (code == HAR_OK)
        listen_for_commands(daemon, config->control_socket);
    else if (monitor_table(daemon->monitor) != NULL)
        use_upstreams(daemon, monitor_table(daemon->monitor)->config);
    return code;
}

/* --- Reloading ---------------------------------------------------------------------------------
 */

static void log_failure(const struct config_report *report, const struct har_error *error)
{
    if (report->count == 0)
        log_event(LOG_ERR, "reload-failed", "error", error->text, NULL);
    for (size_t i = 0; i < report->count; i++)
        log_event(LOG_ERR, "reload-failed", "error", report->lines[i], NULL);
}

static bool reload(void *arg, struct config_report *report, struct har_error *error)
{
    struct daemon *daemon = arg;
    struct config *config = NULL;
    int code = config_load(daemon->config_file, &config, report);
    if (code == HAR_OK)
        code = apply(daemon, config, error);
    else
        har_fail(error, (enum har_code)code, "%s", har_code_text((enum har_code)code));
    if (code == HAR_OK) {
        log_size("reload", daemon->config_file, config);
        return true;
    }
    log_failure(report, error);
    config_free(config);
    return false;
}

/* --- Signals -----------------------------------------------------------------------------------
 */

static void on_reload(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop;
    (void)events;
    struct config_report report = {0};
    struct har_error error = {.code = HAR_OK};
    reload(signal->data, &report, &error);
    config_report_done(&report);
}

static void on_stop(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)signal;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void on_ready(void *arg)
{
    (void)arg;
    log_event(LOG_NOTICE, "ready", NULL);
    notify_send("READY=1");
}

static void watch_signal(struct daemon *daemon, ev_signal *watch, int number,
                         void (*callback)(struct ev_loop *, ev_signal *, int))
{
    ev_signal_init(watch, callback, number);
    watch->data = daemon;
    ev_signal_start(daemon->loop, watch);
}

/* --- Life --------------------------------------------------------------------------------------
 */

/* Each check in flight is a descriptor; take as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void watch_signals(struct daemon *daemon)
{
    watch_signal(daemon, &daemon->reload, SIGHUP, on_reload);
    watch_signal(daemon, &daemon->terminate, SIGTERM, on_stop);
    watch_signal(daemon, &daemon->interrupt, SIGINT, on_stop);
}

static bool build(struct daemon *daemon, struct har_error *error)
{
    daemon->loop = ev_default_loop(EVFLAG_AUTO);
    if (daemon->loop == NULL)
        return har_fail(error, HAR_ERR_IO, "no event loop: %s", strerror(errno)) == HAR_OK;
    daemon->checker = checker_new(daemon->loop, error);
    daemon->forward = forward_new(daemon->loop, QUESTIONS_MAX, error);
    if (daemon->checker == NULL || daemon->forward == NULL)
        return false;
    daemon->candidates = candidates_new(daemon->loop, daemon->forward, error);
    if (daemon->candidates == NULL)
        return false;
    const struct monitor_parts parts = {.loop = daemon->loop,
                                        .checker = daemon->checker,
                                        .candidates = daemon->candidates,
                                        .ready = on_ready,
                                        .arg = daemon};
    daemon->monitor = monitor_new(&parts, error);
    if (daemon->monitor == NULL)
        return false;
    daemon->commands = commands_new(daemon->loop, daemon->monitor, reload, daemon, error);
    return daemon->commands != NULL;
}

static bool start(struct daemon *daemon, struct config *config)
{
    struct har_error error = {.code = HAR_OK};
    log_size("start", daemon->config_file, config);
    if (build(daemon, &error)) {
        watch_signals(daemon);
        if (apply(daemon, config, &error) == HAR_OK)
            return true;
    }
    log_event(LOG_ERR, "start-failed", "error", error.text, NULL);
    config_free(config);
    return false;
}

static void finish(struct daemon *daemon)
{
    commands_free(daemon->commands);
    monitor_free(daemon->monitor);
    candidates_free(daemon->candidates);
    forward_free(daemon->forward);
    checker_free(daemon->checker);
    if (daemon->loop != NULL)
        ev_loop_destroy(daemon->loop);
}

int daemon_run(const char *config_file, struct config *config, int verbosity)
{
    struct daemon daemon = {.config_file = config_file};
    signal(SIGPIPE, SIG_IGN);
    unsetenv("SSLKEYLOGFILE"); /* libcurl would write the secrets of TLS there */
    log_set_level(LOG_NOTICE + verbosity);
    raise_descriptor_limit();
    bool started = start(&daemon, config);
    if (started) {
        ev_run(daemon.loop, 0);
        notify_send("STOPPING=1");
        log_event(LOG_NOTICE, "stop", NULL);
    }
    finish(&daemon);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
