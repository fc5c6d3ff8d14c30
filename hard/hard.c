/* The daemon: reads the command line, wires the rooms together, and runs the loop. Read it first.
 *
 *   config_load --> monitor --> check        (starts checks, gets results)
 *                      |------> table        (health, rank: what a host answers)
 *                      '------> publisher    (ranking.db, which libnss_har reads) */
#include "har_config.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "hard/check.h"
#include "hard/log.h"
#include "hard/monitor.h"
#include "hard/notify.h"

enum { EXIT_USAGE = 2 };

enum action { ACTION_RUN, ACTION_TEST, ACTION_DUMP };

struct options {
    const char *config_file;
    enum action action;
    int verbosity;
};

struct daemon {
    const struct options *options;
    struct ev_loop *loop;
    struct checker *checker;
    struct monitor *monitor;
    ev_signal reload, terminate, interrupt;
};

static const char usage[] =
    "Usage: hard [-c FILE] [-t | -T] [-v]...\n"
    "\n"
    "Checks the candidates of the configured hosts, ranks them, and publishes the ranking\n"
    "for libnss_har. Stays in the foreground.\n"
    "\n"
    "  -c FILE  configuration [" HAR_CONFIG_FILE "]\n"
    "  -t       test the configuration, print all that is wrong with it, and exit 0 or 1\n"
    "  -T       print the configuration in full, with every default\n"
    "  -v       log more: twice for every single check\n"
    "  -V       print the version\n"
    "  -h       print this help\n"
    "\n"
    "Signals: HUP reloads the configuration, TERM and INT stop.\n"
    "Exit status: 0 stopped or well, 1 failed, 2 wrong usage.\n";

static int usage_error(const char *message, const char *what)
{
    fprintf(stderr, "hard: %s%s\nTry 'hard -h'.\n", message, what);
    return EXIT_USAGE;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char *argv[], struct options *options)
{
    *options = (struct options){.config_file = HAR_CONFIG_FILE, .action = ACTION_RUN};
    static const struct option words[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, ":c:tTvVh", words, NULL)) != -1;) {
        const char letter[] = {'-', (char)optopt, '\0'};
        switch (option) {
        case 'c':
            options->config_file = optarg;
            break;
        case 't':
        case 'T':
            if (options->action != ACTION_RUN &&
                options->action != (option == 't' ? ACTION_TEST : ACTION_DUMP))
                return usage_error("-t and -T exclude each other", "");
            options->action = option == 't' ? ACTION_TEST : ACTION_DUMP;
            break;
        case 'v':
            options->verbosity++;
            break;
        case 'V':
            puts("hard " PACKAGE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        case ':':
            return usage_error("a file name is missing after ", letter);
        default:
            return usage_error("unknown option ", optopt != 0 ? letter : argv[optind - 1]);
        }
    }
    if (optind < argc)
        return usage_error("unexpected argument ", argv[optind]);
    return -1;
}

/* --- Configuration -----------------------------------------------------------------------------
 */

static size_t count_candidates(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->host_count; i++)
        count += config->hosts[i].candidate_count;
    return count;
}

/* For a person at a terminal: plain lines, no log. NULL when the configuration is bad. */
static struct config *load_or_print(const char *file)
{
    struct config *config = NULL;
    struct config_report report = {0};
    int code = config_load(file, &config, &report);
    if (code < 0 && report.count == 0)
        fprintf(stderr, "%s: %s\n", file, har_code_text((enum har_code)code));
    for (size_t i = 0; i < report.count; i++)
        fprintf(stderr, "%s\n", report.lines[i]);
    config_report_done(&report);
    return config;
}

static int test_config(const char *file)
{
    struct config *config = load_or_print(file);
    if (config == NULL)
        return EXIT_FAILURE;
    printf("%s: ok (hosts: %zu, candidates: %zu)\n", file, config->host_count,
           count_candidates(config));
    if (strcmp(config->ranking_db, HAR_RANKING_DB) != 0)
        printf("%s: ranking_db: warning: libnss_har reads " HAR_RANKING_DB ", not %s\n", file,
               config->ranking_db);
    config_free(config);
    return EXIT_SUCCESS;
}

static int dump_config(const char *file)
{
    struct config *config = load_or_print(file);
    if (config == NULL)
        return EXIT_FAILURE;
    char *text = config_dump(config);
    config_free(config);
    if (text == NULL) {
        fputs("hard: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    int result = puts(text) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    free(text);
    return result;
}

/* --- The running daemon ------------------------------------------------------------------------
 */

static void log_size(const char *event, const char *file, const struct config *config)
{
    char hosts[24], candidates[24];
    snprintf(hosts, sizeof hosts, "%zu", config->host_count);
    snprintf(candidates, sizeof candidates, "%zu", count_candidates(config));
    log_event(LOG_NOTICE, event, "version", PACKAGE_VERSION, "config", file, "hosts", hosts,
              "candidates", candidates, "ranking_db", config->ranking_db, NULL);
}

/* The compiled-in folder lives under /run, which is empty after each boot, so it is made. A folder
 * that the operator chose is the operator's to make. Failure shows when the ranking is published.
 */
static void make_default_folder(void)
{
    char path[] = HAR_RANKING_DB;
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) == 0)
            chmod(path, 0755); /* whatever the umask: every program reads the ranking */
        else if (errno != EEXIST)
            log_event(LOG_WARNING, "mkdir-failed", "path", path, "error", strerror(errno), NULL);
        *slash = '/';
    }
}

static void prepare_ranking(const struct config *config)
{
    if (strcmp(config->ranking_db, HAR_RANKING_DB) == 0)
        make_default_folder();
    else
        log_event(LOG_WARNING, "ranking-elsewhere", "path", config->ranking_db, "libnss_har_reads",
                  HAR_RANKING_DB, NULL);
}

static int apply(struct daemon *daemon, struct config *config, const char *event)
{
    struct har_error error = {.code = HAR_OK};
    prepare_ranking(config);
    log_size(event, daemon->options->config_file, config);
    if (monitor_configure(daemon->monitor, config, &error) == HAR_OK)
        return HAR_OK;
    log_event(LOG_ERR, "configure-failed", "error", error.text, NULL);
    config_free(config);
    return error.code;
}

static void on_reload(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop;
    (void)events;
    struct daemon *daemon = signal->data;
    struct config *config = NULL;
    struct config_report report = {0};
    int code = config_load(daemon->options->config_file, &config, &report);
    if (code == HAR_OK)
        apply(daemon, config, "reload");
    else if (report.count == 0)
        log_event(LOG_ERR, "reload-failed", "error", har_code_text((enum har_code)code), NULL);
    for (size_t i = 0; i < report.count; i++)
        log_event(LOG_ERR, "reload-failed", "error", report.lines[i], NULL);
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

/* Each check in flight is a descriptor; take as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool daemon_start(struct daemon *daemon, struct config *config)
{
    struct har_error error = {.code = HAR_OK};
    daemon->loop = ev_default_loop(EVFLAG_AUTO);
    if (daemon->loop == NULL)
        har_fail(&error, HAR_ERR_IO, "no event loop: %s", strerror(errno));
    if (daemon->loop != NULL)
        daemon->checker = checker_new(daemon->loop, &error);
    if (daemon->checker != NULL)
        daemon->monitor = monitor_new(daemon->loop, daemon->checker, on_ready, daemon, &error);
    if (daemon->monitor == NULL) {
        log_event(LOG_ERR, "start-failed", "error", error.text, NULL);
        config_free(config);
        return false;
    }
    watch_signal(daemon, &daemon->reload, SIGHUP, on_reload);
    watch_signal(daemon, &daemon->terminate, SIGTERM, on_stop);
    watch_signal(daemon, &daemon->interrupt, SIGINT, on_stop);
    return apply(daemon, config, "start") == HAR_OK;
}

static int run(const struct options *options)
{
    signal(SIGPIPE, SIG_IGN);
    unsetenv("SSLKEYLOGFILE"); /* libcurl would write the secrets of TLS there */
    signal(SIGHUP, SIG_IGN);   /* until the loop listens: what it asks for is just being done */
    struct config *config = load_or_print(options->config_file);
    if (config == NULL)
        return EXIT_FAILURE;
    log_set_level(LOG_NOTICE + options->verbosity);
    raise_descriptor_limit();

    struct daemon daemon = {.options = options};
    bool started = daemon_start(&daemon, config);
    if (started) {
        ev_run(daemon.loop, 0);
        notify_send("STOPPING=1");
        log_event(LOG_NOTICE, "stop", NULL);
    }
    monitor_free(daemon.monitor);
    checker_free(daemon.checker);
    if (daemon.loop != NULL)
        ev_loop_destroy(daemon.loop);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A daemon that was started without standard streams must not find a socket in their place. */
static void open_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char *argv[])
{
    open_standard_streams();
    struct options options;
    int status = parse_options(argc, argv, &options);
    if (status >= 0)
        return status;
    switch (options.action) {
    case ACTION_TEST:
        return test_config(options.config_file);
    case ACTION_DUMP:
        return dump_config(options.config_file);
    case ACTION_RUN:
        return run(&options);
    }
    return EXIT_FAILURE;
}
