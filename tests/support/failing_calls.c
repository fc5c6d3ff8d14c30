/* A lookup in a process of its own whose every system call fails in turn.
 *
 *   failing_calls MODULE|getaddrinfo NAME FAULT...
 *
 * The lookup goes through every entry point of the module at that path, or through getaddrinfo, for
 * which it is the first of the process. It is made once for every number N, until there is no Nth
 * call any more. FAULT is what happens:
 *
 *   a number   the Nth call fails with this errno
 *   end        the Nth pread finds the end of the file
 *   interrupt  every other call, the first to begin with, is interrupted (EINTR)
 *   short      every pread reads one byte
 *
 * Prints a line of key=value for each lookup, and one with nth=after for the next, undisturbed one
 * in the same process. leaked says whether descriptors were left open. A process that does not end
 * well gets a line with died=SIGNAL instead, and N goes no further.
 *
 * A thread looks up, and the kernel asks the other one about each of its system calls
 * (seccomp_unotify(2)); both share memory and descriptors. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/support/entry.h"
#include "tests/support/seccomp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define DEADLINE_S 20
#define NO_CALL (-1)
#define EXIT_NO_SUCH_CALL 3 /* there were fewer than N */

enum fault { FAULT_ERROR, FAULT_END, FAULT_INTERRUPT, FAULT_SHORT };

struct run {
    const struct entry_points *points; /* NULL: getaddrinfo */
    enum entry entry;
    const char *name;
    const char *fault_text;
    enum fault fault;
    int error; /* of FAULT_ERROR */
    unsigned nth;

    int listener; /* where the kernel asks */
    int report[2];
    unsigned calls; /* those that the fault is about */
    int hit;        /* the number of the call that it met, or NO_CALL */
    char outcome[ENTRY_LINE_MAX];
};

static void die(const char *what)
{
    perror(what);
    _exit(EXIT_FAILURE);
}

/* --- The lookup ------------------------------------------------------------------------------- */

static void describe_addresses(const struct addrinfo *found, char text[ENTRY_LINE_MAX])
{
    size_t used = (size_t)sprintf(text, "code=0 addresses=\"");
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        char address[INET6_ADDRSTRLEN] = "";
        if (at->ai_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr, address,
                      sizeof address);
        else
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_addr, address,
                      sizeof address);
        used += (size_t)snprintf(text + used, ENTRY_LINE_MAX - used, "%s%s", at == found ? "" : " ",
                                 address);
    }
    snprintf(text + used, ENTRY_LINE_MAX - used, "\"");
}

static void look_up(struct run *run)
{
    if (run->points != NULL) {
        struct entry_call call;
        entry_call(run->points, run->entry, run->name, sizeof call.buffer, &call);
        entry_format(&call, run->outcome);
        return;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(run->name, NULL, &hints, &found);
    if (code == 0)
        describe_addresses(found, run->outcome);
    else
        sprintf(run->outcome, "code=%d addresses=\"\"", code);
    if (code == 0)
        freeaddrinfo(found);
}

/* The kernel asks about all calls of this thread but writes to the descriptor `report`. */
static int install_listener(int report)
{
    const unsigned low_half = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    struct sock_filter filter[] = {
        SECCOMP_LOAD_NUMBER,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + low_half),
        SECCOMP_ON((unsigned)report, SECCOMP_RET_ALLOW),
        SECCOMP_OTHERWISE(SECCOMP_RET_USER_NOTIF),
    };
    return seccomp_install(filter, COUNT(filter), SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static void report(const struct run *run)
{
    if (write(run->report[1], "", 1) != 1)
        abort();
}

static void *look_up_watched(void *argument)
{
    struct run *run = argument;
    run->listener = install_listener(run->report[1]);
    report(run);
    look_up(run);
    report(run);
    for (;;)
        pause(); /* nobody answers for this call; the process ends without this thread */
    return NULL;
}

/* --- The faults ------------------------------------------------------------------------------- */

/* Whether the fault meets this call. Counts the calls that it may meet. */
static bool meets(struct run *run, const struct seccomp_data *call)
{
    bool read = call->nr == SYS_pread64;
    if (call->nr == SYS_futex)
        return false; /* glibc takes a failure for a broken kernel, and aborts */
    switch (run->fault) {
    case FAULT_ERROR:
        return ++run->calls == run->nth;
    case FAULT_END:
        return read && ++run->calls == run->nth;
    case FAULT_INTERRUPT:
        return ++run->calls % 2 == 1;
    case FAULT_SHORT:
        return read;
    }
    return false;
}

static long read_one_byte(const struct seccomp_data *call)
{
    const __u64 *a = call->args;
    return syscall(call->nr, (long)a[0], (long)a[1], 1L, (long)a[3], (long)a[4], (long)a[5]);
}

/* Linux has closed a descriptor even when close(2) fails. */
static int fail_with(int error, const struct seccomp_data *call)
{
    if (call->nr == SYS_close)
        close((int)call->args[0]);
    return -error;
}

static struct seccomp_notif_resp decide(struct run *run, const struct seccomp_notif *asked)
{
    struct seccomp_notif_resp answer = {.id = asked->id};
    if (!meets(run, &asked->data)) {
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        return answer;
    }
    run->hit = asked->data.nr;
    switch (run->fault) {
    case FAULT_ERROR:
        answer.error = fail_with(run->error, &asked->data);
        break;
    case FAULT_INTERRUPT:
        answer.error = fail_with(EINTR, &asked->data);
        break;
    case FAULT_SHORT:
        answer.val = read_one_byte(&asked->data);
        break;
    case FAULT_END:
        break; /* 0 bytes */
    }
    return answer;
}

/* Until the lookup is done. */
static void supervise(struct run *run)
{
    struct pollfd ready[] = {{.fd = run->report[0], .events = POLLIN},
                             {.fd = run->listener, .events = POLLIN}};
    for (;;) {
        if (poll(ready, COUNT(ready), -1) < 0)
            die("poll");
        if (ready[0].revents != 0)
            return;
        struct seccomp_notif asked = {0};
        if (ioctl(run->listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
            die("SECCOMP_IOCTL_NOTIF_RECV");
        struct seccomp_notif_resp answer = decide(run, &asked);
        if (ioctl(run->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0)
            die("SECCOMP_IOCTL_NOTIF_SEND");
    }
}

/* --- One process after the other -------------------------------------------------------------- */

static int first_free_descriptor(void)
{
    int free_fd = dup(STDOUT_FILENO);
    close(free_fd);
    return free_fd;
}

static const char *call_name(int number)
{
    switch (number) {
    case NO_CALL:
        return "none";
    case SYS_openat:
        return "openat";
    case SYS_pread64:
        return "pread64";
    case SYS_close:
        return "close";
    default:
        return "other";
    }
}

static void print_line(const struct run *run, const char *what)
{
    char line[2 * ENTRY_LINE_MAX];
    int length =
        snprintf(line, sizeof line, "fault=%s %s %s\n", run->fault_text, what, run->outcome);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        die("write");
}

static void wait_report(const struct run *run)
{
    char byte;
    if (read(run->report[0], &byte, 1) != 1)
        die("read");
}

/* In the child: one lookup with its fault, one without. */
static void run_here(struct run *run)
{
    pthread_t thread;
    char what[100];
    alarm(DEADLINE_S);
    if (pipe(run->report) != 0 || pthread_create(&thread, NULL, look_up_watched, run) != 0)
        die("thread");
    wait_report(run);
    int free_before = first_free_descriptor(); /* the lookup waits in its first call */
    supervise(run);
    bool leaked = first_free_descriptor() != free_before;
    snprintf(what, sizeof what, "nth=%u call=%s leaked=%s", run->nth, call_name(run->hit),
             leaked ? "yes" : "no");
    print_line(run, what);
    look_up(run);
    print_line(run, "nth=after");
    bool last = run->hit == NO_CALL || run->fault == FAULT_INTERRUPT || run->fault == FAULT_SHORT;
    _exit(last ? EXIT_NO_SUCH_CALL : EXIT_SUCCESS);
}

static void print_death(struct run *run, int status)
{
    char what[100];
    snprintf(what, sizeof what, "nth=%u entry=%s died=%d", run->nth, entry_name(run->entry),
             WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
    run->outcome[0] = '\0';
    print_line(run, what);
}

/* Returns whether to go on with the next N. */
static bool run_apart(struct run *run)
{
    int status;
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        run_here(run);
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    bool ended = WIFEXITED(status);
    if (!ended || (WEXITSTATUS(status) != EXIT_SUCCESS && WEXITSTATUS(status) != EXIT_NO_SUCH_CALL))
        print_death(run, status);
    return ended && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void parse_fault(const char *text, struct run *run)
{
    static const char *const words[] = {
        [FAULT_END] = "end", [FAULT_INTERRUPT] = "interrupt", [FAULT_SHORT] = "short"};
    run->fault_text = text;
    run->fault = FAULT_ERROR;
    run->error = atoi(text);
    for (int fault = FAULT_END; fault <= FAULT_SHORT; fault++) {
        if (strcmp(text, words[fault]) == 0)
            run->fault = (enum fault)fault;
    }
}

int main(int argc, char **argv)
{
    struct entry_points points;
    if (argc < 4) {
        fputs("usage: failing_calls MODULE|getaddrinfo NAME FAULT...\n", stderr);
        return 2;
    }
    bool whole = strcmp(argv[1], "getaddrinfo") == 0;
    if (!whole)
        entry_points_load(argv[1], &points);
    for (int i = 3; i < argc; i++) {
        for (int entry = 0; entry < (whole ? 1 : ENTRIES); entry++) {
            struct run run = {.points = whole ? NULL : &points,
                              .entry = (enum entry)entry,
                              .name = argv[2],
                              .nth = 1,
                              .hit = NO_CALL};
            parse_fault(argv[i], &run);
            while (run_apart(&run))
                run.nth++;
        }
    }
    return 0;
}
