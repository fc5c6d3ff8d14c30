/* Times getaddrinfo(3) in this process and prints one "key value" line for each figure.
 *
 *   bench_nss [-4|-6|-u] [-w CALLS] [-n CALLS] [-g CALLS] [-t THREADS] [-s SECONDS] NAME...
 *
 * address        first address of the first answer: which service answered
 * first_ns       the first call of this process: loads nsswitch.conf and the module
 * median_ns, p99_ns   of -n calls after -w calls that are not counted; NAMEs in turn
 * heap_bytes, resident_bytes   by how much -g calls made this process grow, after the other calls
 * lookups_per_s  of -t threads for -s seconds
 *
 * The service is what nsswitch.conf names, as for any other program. A lookup that fails ends the
 * run with exit status 1: a fast error is not a fast answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct options {
    int family;
    size_t calls, warmup, growth_calls;
    unsigned threads;
    unsigned seconds;
    char **names;
    size_t name_count;
};

struct worker {
    pthread_t thread;
    const struct options *options;
    atomic_bool *stop;
    size_t place; /* among the workers: each begins at another name */
    uint64_t lookups;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct addrinfo *look_up(const struct options *options, const char *name)
{
    struct addrinfo hints = {.ai_family = options->family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(name, NULL, &hints, &found);

    if (failed) {
        fprintf(stderr, "bench_nss: %s: %s\n", name, gai_strerror(failed));
        exit(1);
    }
    return found;
}

/* The time of one lookup, its answer's release not counted. */
static uint64_t timed(const struct options *options, const char *name)
{
    uint64_t began = now_ns();
    struct addrinfo *found = look_up(options, name);
    uint64_t ended = now_ns();

    freeaddrinfo(found);
    return ended - began;
}

static void print_first(const struct options *options)
{
    char text[INET6_ADDRSTRLEN];
    uint64_t began = now_ns();
    struct addrinfo *found = look_up(options, options->names[0]);
    uint64_t ended = now_ns();
    int failed =
        getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);

    freeaddrinfo(found);
    printf("address %s\n", failed ? "?" : text);
    printf("first_ns %llu\n", (unsigned long long)(ended - began));
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void print_distribution(const struct options *options)
{
    uint64_t *times = calloc(options->calls, sizeof *times);

    if (!times) {
        perror("bench_nss");
        exit(1);
    }
    for (size_t i = 0; i < options->warmup; i++)
        timed(options, options->names[i % options->name_count]);
    for (size_t i = 0; i < options->calls; i++)
        times[i] = timed(options, options->names[i % options->name_count]);

    qsort(times, options->calls, sizeof *times, by_value);
    printf("median_ns %llu\n", (unsigned long long)times[options->calls / 2]);
    printf("p99_ns %llu\n", (unsigned long long)times[options->calls * 99 / 100]);
    free(times);
}

struct memory {
    size_t heap_bytes, resident_bytes;
};

/* Without stdio, whose buffers are memory, too. */
static struct memory memory_now(void)
{
    struct mallinfo2 heap = mallinfo2();
    char text[100] = "";
    int fd = open("/proc/self/statm", O_RDONLY);

    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) {
        perror("bench_nss: /proc/self/statm");
        exit(1);
    }
    close(fd);
    char *resident = strchr(text, ' ');
    size_t pages = resident != NULL ? strtoul(resident, NULL, 10) : 0;
    return (struct memory){heap.uordblks + heap.hblkhd, pages * (size_t)sysconf(_SC_PAGESIZE)};
}

static void print_growth(const struct options *options)
{
    memory_now(); /* the pages of its own code */
    struct memory before = memory_now();
    for (size_t i = 0; i < options->growth_calls; i++)
        freeaddrinfo(look_up(options, options->names[i % options->name_count]));
    struct memory after = memory_now();

    printf("heap_bytes %lld\n", (long long)(after.heap_bytes - before.heap_bytes));
    printf("resident_bytes %lld\n", (long long)(after.resident_bytes - before.resident_bytes));
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    const struct options *options = worker->options;

    for (size_t i = worker->place; !atomic_load_explicit(worker->stop, memory_order_relaxed); i++) {
        freeaddrinfo(look_up(options, options->names[i % options->name_count]));
        worker->lookups++;
    }
    return NULL;
}

static void print_throughput(const struct options *options)
{
    struct worker *workers = calloc(options->threads, sizeof *workers);
    atomic_bool stop = false;
    uint64_t began = now_ns(), lookups = 0;

    if (!workers) {
        perror("bench_nss");
        exit(1);
    }
    for (size_t i = 0; i < options->threads; i++) {
        workers[i] = (struct worker){.options = options, .stop = &stop, .place = i};
        errno = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        if (errno) {
            perror("bench_nss: pthread_create");
            exit(1);
        }
    }
    sleep(options->seconds);
    atomic_store(&stop, true);
    for (size_t i = 0; i < options->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        lookups += workers[i].lookups;
    }
    printf("lookups_per_s %.0f\n", (double)lookups * 1e9 / (double)(now_ns() - began));
    free(workers);
}

static int usage(void)
{
    fputs("usage: bench_nss [-4|-6|-u] [-w CALLS] [-n CALLS] [-g CALLS] [-t THREADS] "
          "[-s SECONDS] NAME...\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct options options = {.family = AF_INET, .seconds = 1};

    for (int c; (c = getopt(argc, argv, "46uw:n:g:t:s:")) != -1;) {
        if (c == '4')
            options.family = AF_INET;
        else if (c == '6')
            options.family = AF_INET6;
        else if (c == 'u')
            options.family = AF_UNSPEC;
        else if (c == 'w')
            options.warmup = strtoul(optarg, NULL, 10);
        else if (c == 'n')
            options.calls = strtoul(optarg, NULL, 10);
        else if (c == 'g')
            options.growth_calls = strtoul(optarg, NULL, 10);
        else if (c == 't')
            options.threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 's')
            options.seconds = (unsigned)strtoul(optarg, NULL, 10);
        else
            return usage();
    }
    options.names = argv + optind;
    options.name_count = (size_t)(argc - optind);
    if (options.name_count == 0)
        return usage();

    print_first(&options);
    if (options.calls)
        print_distribution(&options);
    if (options.growth_calls)
        print_growth(&options);
    if (options.threads)
        print_throughput(&options);
    return 0;
}
