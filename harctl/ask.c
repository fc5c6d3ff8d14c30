/* One request to the daemon, one answer. */
#include "har_config.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "harctl/harctl.h"
#include "hard/control.h"

#define ANSWER_S 5 /* a daemon that is alive answers sooner */

static void complain(const struct options *options, const char *what)
{
    fputs("harctl: ", stderr);
    print_text(stderr, options->socket);
    fprintf(stderr, ": %s\n", what);
}

/* --- Connecting --------------------------------------------------------------------------------
 */

static void complain_permission(const struct options *options)
{
    struct stat found;
    const struct group *group =
        stat(options->socket, &found) == 0 && found.st_gid != 0 ? getgrgid(found.st_gid) : NULL;
    char *what = group != NULL
                     ? words("permission denied: run harctl as root or as a member of group %s",
                             group->gr_name)
                     : words("permission denied: run harctl as root");
    complain(options, what);
    free(what);
}

static void complain_connect(const struct options *options, int reason)
{
    char *what;
    switch (reason) {
    case EACCES:
    case EPERM:
        complain_permission(options);
        return;
    case ENOENT:
        complain(options,
                 "there is no such socket: start hard, or give its control_socket with -s");
        return;
    case ECONNREFUSED:
        complain(options, "nobody answers: start hard, or give its control_socket with -s");
        return;
    case EAGAIN:
        complain(options, "hard does not answer: try again, or look into its log");
        return;
    default:
        what = words("cannot connect: %s; give hard's control_socket with -s", strerror(reason));
        complain(options, what);
        free(what);
    }
}

static void limit_time(int fd, const struct command *command)
{
    struct timeval limit = {.tv_sec = ANSWER_S};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* of connect(2), too */
    if (!command->patient)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

/* Returns -1 when it has complained. */
static int connect_to(const struct options *options, const struct command *command)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(options->socket) >= sizeof address.sun_path) {
        complain(options, "too long for the path of a socket");
        return -1;
    }
    strcpy(address.sun_path, options->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        limit_time(fd, command);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    complain_connect(options, errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- Talking -----------------------------------------------------------------------------------
 */

/* A daemon that turns us away may have closed before we spoke, and left a line that says why: so
 * whether it took what we say shows in the answer alone. */
static void say(int fd, const char *line)
{
    for (size_t left = strlen(line); left > 0;) {
        ssize_t sent = send(fd, line, left, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        line += sent;
        left -= (size_t)sent;
    }
}

struct answer {
    char *bytes;
    size_t count, room;
};

static bool make_room(struct answer *answer)
{
    if (answer->room - answer->count > 1)
        return true;
    size_t room = 2 * answer->room + 4096;
    char *larger = room <= 4 * (size_t)CONTROL_OUTPUT_MAX ? realloc(answer->bytes, room) : NULL;
    if (larger == NULL)
        return false;
    answer->bytes = larger;
    answer->room = room;
    return true;
}

/* Reads a line, without its line break. NULL, or a sentence on what went wrong. */
static const char *hear(int fd, struct answer *answer)
{
    while (make_room(answer)) {
        ssize_t got = recv(fd, answer->bytes + answer->count, answer->room - answer->count - 1, 0);
        if (got < 0 && errno == EAGAIN)
            return "hard does not answer: try again, or look into its log";
        if (got <= 0)
            return "hard closed the connection without an answer: look into its log";
        char *end = memchr(answer->bytes + answer->count, '\n', (size_t)got);
        answer->count += (size_t)got;
        if (end != NULL) {
            *end = '\0';
            return NULL;
        }
    }
    return "no memory for the answer: ask for fewer names";
}

static char *talk(const struct options *options, int fd, const char *line)
{
    struct answer answer = {.count = 0};
    say(fd, line);
    say(fd, "\n");
    const char *problem = hear(fd, &answer);
    if (problem == NULL)
        return answer.bytes;
    complain(options, problem);
    free(answer.bytes);
    return NULL;
}

char *ask(const struct options *options, const struct command *command, const json_t *request)
{
    char *line = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    if (line == NULL) {
        fputs("harctl: out of memory\n", stderr);
        return NULL;
    }
    if (strlen(line) >= CONTROL_LINE_MAX) {
        free(line);
        fputs("harctl: that is more than one request can hold: ask for fewer names\n", stderr);
        return NULL;
    }
    int fd = connect_to(options, command);
    char *answer = fd >= 0 ? talk(options, fd, line) : NULL;
    if (fd >= 0)
        close(fd);
    free(line);
    return answer;
}
