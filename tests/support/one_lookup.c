/* Looks names up through every entry point of a libnss_har.so.2, one line of key=value a call.
 *
 *   one_lookup MODULE SANDBOX NAME[/BYTES]...
 *
 * SANDBOX is "none"; "confined": from the first lookup on a system call that is none of openat,
 * pread64, close, write and exit_group kills the process; or the error with which openat fails.
 * BYTES: the size of the buffer. Every call lies between two writes to descriptor -1, for a tracer:
 * "begin ENTRY NAME[/BYTES]" and "end". */
#include <string.h>

#include "tests/support/entry.h"
#include "tests/support/seccomp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void confine(void)
{
    struct sock_filter filter[] = {
        SECCOMP_LOAD_NUMBER,
        SECCOMP_ON(SYS_openat, SECCOMP_RET_ALLOW),
        SECCOMP_ON(SYS_pread64, SECCOMP_RET_ALLOW),
        SECCOMP_ON(SYS_close, SECCOMP_RET_ALLOW),
        SECCOMP_ON(SYS_write, SECCOMP_RET_ALLOW),
        SECCOMP_ON(SYS_exit_group, SECCOMP_RET_ALLOW),
        SECCOMP_OTHERWISE(SECCOMP_RET_KILL_PROCESS),
    };
    seccomp_install(filter, COUNT(filter), 0);
}

static void forbid_open(unsigned error)
{
    struct sock_filter filter[] = {
        SECCOMP_LOAD_NUMBER,
        SECCOMP_ON(SYS_openat, SECCOMP_RET_ERRNO | error),
        SECCOMP_OTHERWISE(SECCOMP_RET_ALLOW),
    };
    seccomp_install(filter, COUNT(filter), 0);
}

static void enter_sandbox(const char *sandbox)
{
    if (strcmp(sandbox, "confined") == 0)
        confine();
    else if (strcmp(sandbox, "none") != 0)
        forbid_open((unsigned)atoi(sandbox));
}

static void mark(const char *text)
{
    if (write(-1, text, strlen(text)) >= 0)
        abort();
}

/* Not through stdio, which would ask what kind of file it writes to. */
static void print_line(const char *name, const struct entry_call *call)
{
    char text[ENTRY_LINE_MAX];
    char line[2 * ENTRY_LINE_MAX];
    entry_format(call, text);
    int length = snprintf(line, sizeof line, "name=%s %s\n", name, text);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(EXIT_FAILURE);
}

static void look_up(const struct entry_points *points, enum entry entry, const char *argument)
{
    char name[256];
    char label[300];
    struct entry_call call;
    const char *bytes = strchr(argument, '/');
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "/"), argument);
    snprintf(label, sizeof label, "begin %s %s", entry_name(entry), argument);
    size_t buffer_bytes = bytes != NULL ? (size_t)atoi(bytes + 1) : sizeof call.buffer;
    mark(label);
    entry_call(points, entry, name, buffer_bytes, &call);
    mark("end");
    print_line(argument, &call);
}

int main(int argc, char **argv)
{
    struct entry_points points;
    if (argc < 4) {
        fputs("usage: one_lookup MODULE SANDBOX NAME[/BYTES]...\n", stderr);
        return 2;
    }
    entry_points_load(argv[1], &points);
    enter_sandbox(argv[2]);
    for (int i = 3; i < argc; i++) {
        for (int entry = 0; entry < ENTRIES; entry++)
            look_up(&points, (enum entry)entry, argv[i]);
    }
    _exit(EXIT_SUCCESS);
}
