/* How long clients are led to a server after it was killed.
 *
 *   moved PID FROM TO resolver NAME             by getaddrinfo(3)
 *   moved PID FROM TO proxy ADDRESS PORT        by a proxy there, whose servers say who they are
 *
 * Waits until the answer is FROM, kills process PID with SIGKILL and waits until the answer is TO.
 * Failures in between are passed over. Prints "moved_us": from before the kill to the end of the
 * first lookup, or request, that was answered with TO. Asks again 100 us after each answer, so as
 * to leave the processor to those who check. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/ask.h"
#include "common/clock.h"

#define DEADLINE_US 30000000
#define POLL_US 100

static void ask(char *const way[], char answer[ASK_TEXT_MAX])
{
    if (strcmp(way[0], "resolver") == 0)
        ask_resolver(way[1], answer);
    else
        ask_http(way[1], way[2], answer);
}

/* Returns when the answer was seen. */
static int64_t await(char *const way[], const char *wanted)
{
    int64_t began_us = har_now_us();
    char answer[ASK_TEXT_MAX];

    for (ask(way, answer); strcmp(answer, wanted) != 0; ask(way, answer)) {
        if (har_now_us() - began_us > DEADLINE_US) {
            fprintf(stderr, "moved: %s leads to '%s' instead of %s after %d s\n", way[1], answer,
                    wanted, DEADLINE_US / 1000000);
            exit(1);
        }
        pause_us(POLL_US);
    }
    return har_now_us();
}

static bool is_usage_right(int argc, char *const argv[])
{
    return (argc == 6 && strcmp(argv[4], "resolver") == 0) ||
           (argc == 7 && strcmp(argv[4], "proxy") == 0);
}

int main(int argc, char **argv)
{
    int64_t killed_us;

    if (!is_usage_right(argc, argv)) {
        fputs("usage: moved PID FROM TO resolver NAME | moved PID FROM TO proxy ADDRESS PORT\n",
              stderr);
        return 2;
    }
    await(argv + 4, argv[2]);
    killed_us = har_now_us();
    if (kill((pid_t)strtol(argv[1], NULL, 10), SIGKILL) != 0) {
        perror("moved: kill");
        return 1;
    }
    printf("moved_us %lld\n", (long long)(await(argv + 4, argv[3]) - killed_us));
    return 0;
}
