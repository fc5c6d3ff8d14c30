/* The command line. What the daemon does begins in daemon.c. */
#include "har_config.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "hard/daemon.h"

enum { EXIT_USAGE = 2 };

enum action { ACTION_RUN, ACTION_TEST, ACTION_DUMP };

struct options {
    const char *config_file;
    enum action action;
    int verbosity;
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
           config_count_candidates(config));
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

static int run(const struct options *options)
{
    signal(SIGHUP, SIG_IGN); /* until the loop listens: what it asks for is just being done */
    struct config *config = load_or_print(options->config_file);
    return config != NULL ? daemon_run(options->config_file, config, options->verbosity)
                          : EXIT_FAILURE;
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
