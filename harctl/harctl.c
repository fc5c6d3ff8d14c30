/* Asks the running daemon: reads the command line, sends one request, prints the answer. Read it
 * first; each command is described in the file of its group. */
#include "har_config.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config/duration.h"
#include "harctl/harctl.h"
#include "hard/control.h"

#define SECOND_US UINT64_C(1000000)

static const struct command *const commands[] = {
    &command_status, &command_explain, &command_check,  &command_drain,
    &command_force,  &command_auto,    &command_reload,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* --- Command line ------------------------------------------------------------------------------
 */

static void print_usage(FILE *out)
{
    fputs("Usage: harctl [-s SOCKET] [-j] COMMAND\n\nAsks the running hard.\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s%-29s%s\n", commands[i]->word, commands[i]->arguments,
                commands[i]->help);
    fputs("\n"
          "  --for D        drain, force: for that long (\"30m\", \"2h\"); else until auto\n"
          "  --reason TEXT  drain, force: shown with it\n"
          "  --failing, -f  status: only hosts for which something is wrong\n"
          "  -s SOCKET      control socket [" HAR_CONTROL_SOCKET "]\n"
          "  -j             print the answer as one line of JSON\n"
          "  -V             print the version\n"
          "  -h             print this help\n"
          "\n"
          "Exit status: 0 well, 1 failed or unhealthy, 2 wrong usage.\n",
          out);
}

enum { OPTION_FOR = 256, OPTION_REASON }; /* those without a letter */

static int usage_error(const char *message, const char *what)
{
    fputs("harctl: ", stderr);
    fputs(message, stderr);
    print_text(stderr, what);
    fputs("\nTry 'harctl -h'.\n", stderr);
    return EXIT_USAGE;
}

/* Returns -1 to go on, or the exit status. */
static int parse_for(const char *text, struct options *options)
{
    uint64_t us;
    if (!duration_parse(text, &us) || us % SECOND_US != 0 || us == 0 ||
        us > CONTROL_FOR_MAX_S * SECOND_US)
        return usage_error("--for takes whole seconds, 1s to 365d, as in 90s, 30m, 2h; not ", text);
    options->for_s = (uint32_t)(us / SECOND_US);
    return -1;
}

static int parse_reason(const char *text, struct options *options)
{
    if (strlen(text) > CONTROL_REASON_MAX)
        return usage_error("--reason takes at most 200 bytes", "");
    options->reason = text;
    return -1;
}

static int parse_option(int option, const char *word, struct options *options)
{
    switch (option) {
    case 's':
        options->socket = optarg;
        return -1;
    case 'j':
        options->json = true;
        return -1;
    case 'f':
        options->failing = true;
        return -1;
    case OPTION_FOR:
        return parse_for(optarg, options);
    case OPTION_REASON:
        return parse_reason(optarg, options);
    case 'V':
        puts("harctl " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    case 'h':
        print_usage(stdout);
        return EXIT_SUCCESS;
    case ':':
        return usage_error("an argument is missing after ", word);
    default:
        return usage_error("unknown option ", word);
    }
}

/* Options may stand anywhere. Leaves the other words at the end of argv, from optind on. */
static int parse_options(int argc, char *argv[], struct options *options)
{
    static const struct option words[] = {{"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"failing", no_argument, NULL, 'f'},
                                          {"for", required_argument, NULL, OPTION_FOR},
                                          {"reason", required_argument, NULL, OPTION_REASON},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){.socket = HAR_CONTROL_SOCKET};
    for (int option; (option = getopt_long(argc, argv, ":s:jfVh", words, NULL)) != -1;) {
        const char letter[] = {'-', (char)optopt, '\0'};
        bool is_letter = optopt == 's' || (option == '?' && optopt != 0);
        int status = parse_option(option, is_letter ? letter : argv[optind - 1], options);
        if (status >= 0)
            return status;
    }
    return -1;
}

static const struct command *find_command(const char *word)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->word, word) == 0)
            return commands[i];
    }
    return NULL;
}

static bool is_text(const char *text)
{
    json_t *value = json_string(text); /* which looks whether it is UTF-8 */
    json_decref(value);
    return value != NULL;
}

/* Is it one of the words between the bars? */
static bool is_one_of(const char *word, const char *choice)
{
    size_t length = strlen(word);
    for (const char *at = choice; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == length && strncmp(at, word, length) == 0)
            return true;
    }
    return false;
}

/* Every command takes its arguments in this order, the first few of them. */
static int count_error(const struct command *command, int count)
{
    static const char *const parts[] = {"a name is missing", "a candidate is missing",
                                        "up or down is missing"};
    static const char *const takes[] = {"no argument", "one name", "a name and a candidate",
                                        "a name, a candidate, and up or down"};
    char *problem = count < command->min ? words("%s: %s; it takes %s", command->word, parts[count],
                                                 takes[command->min])
                                         : words("%s takes %s", command->word, takes[command->max]);
    int status = usage_error(problem, "");
    free(problem);
    return status;
}

/* Returns -1 when the words are what the command takes, or the exit status. */
static int look_at_arguments(const struct command *command, const struct options *options,
                             char **arguments, int count)
{
    if (count < command->min || count > command->max)
        return count_error(command, count);
    if (!command->overrides && (options->for_s != 0 || options->reason != NULL))
        return usage_error("--for and --reason go with drain and force, not with ", command->word);
    if (options->failing && (!command->selects || options->json))
        return usage_error("--failing goes with status, and not with -j", "");
    if (command->last_word != NULL && !is_one_of(arguments[count - 1], command->last_word))
        return usage_error("force takes up or down, not ", arguments[count - 1]);
    for (int i = 0; i < count; i++) {
        if (!is_text(arguments[i]))
            return usage_error("this argument is not UTF-8: ", arguments[i]);
    }
    if (options->reason != NULL && !is_text(options->reason))
        return usage_error("--reason is not UTF-8", "");
    return -1;
}

/* --- Answers -----------------------------------------------------------------------------------
 */

static void print_errors(const json_t *answer)
{
    const char *error = text_of(answer, "error");
    fputs("harctl: ", stderr);
    print_text(stderr, error != NULL ? error : "hard gave an answer that harctl does not know");
    putc('\n', stderr);
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer, "errors"), i, line)
    {
        if (json_is_string(line)) {
            print_text(stderr, json_string_value(line));
            putc('\n', stderr);
        }
    }
}

static bool flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "harctl: standard output: %s\n", strerror(errno));
    return false;
}

/* Returns the exit status. */
static int show(const struct command *command, const struct options *options, const char *line)
{
    json_t *answer = json_loads(line, 0, NULL);
    bool good = json_is_true(json_object_get(answer, "ok"));
    if (options->json && answer != NULL)
        puts(line);
    else if (good)
        command->show(options, answer);
    else
        print_errors(answer);
    bool healthy = good && (command->is_healthy == NULL || command->is_healthy(answer));
    json_decref(answer);
    return flush() && healthy ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct command *command, const struct options *options, char **arguments,
               int count)
{
    json_t *request = command->request(options, arguments, count);
    char *line = ask(options, command, request);
    int status = line != NULL ? show(command, options, line) : EXIT_FAILURE;
    free(line);
    json_decref(request);
    return status;
}

int main(int argc, char *argv[])
{
    struct options options;
    int status = parse_options(argc, argv, &options);
    if (status >= 0)
        return status;
    if (optind == argc)
        return usage_error("a command is missing", "");
    const struct command *command = find_command(argv[optind]);
    if (command == NULL)
        return usage_error("unknown command ", argv[optind]);
    char **arguments = argv + optind + 1;
    int count = argc - optind - 1;
    status = look_at_arguments(command, &options, arguments, count);
    return status >= 0 ? status : run(command, &options, arguments, count);
}
