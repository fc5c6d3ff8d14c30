/* One name looked up in ranking.db: open, a pread for each level of the b-tree, close.
 *
 * Runs inside every process of the machine: libc only; no heap, no state, no lock, no mapping, no
 * descriptor kept, and every byte of the file is taken for a lie until checked (SQLite's "Database
 * File Format", sections 1.3, 1.5, 1.6, 2.1). Safe in threads, after fork, when the thread is
 * cancelled, and when the file is replaced at any moment. A thread that allows asynchronous
 * cancellation may not look up names: POSIX says so, and libc may leave the descriptor open. Stack
 * under 6 KiB with nss_har/ around it, in an optimised build; under 6.5 KiB in any. */
#ifndef HAR_RANKING_LOOKUP_H
#define HAR_RANKING_LOOKUP_H

#include <stdint.h>

#include "common/address.h"
#include "common/name.h"
#include "ranking/schema.h"

enum ranking_result {
    RANKING_FOUND,   /* count addresses, 1 to RANKING_ANSWERS_MAX: best first, or of a group the one
                        whose turn it is */
    RANKING_NODATA,  /* configured, but no address of that family */
    RANKING_FAILING, /* configured with failure_mode none, and nobody is eligible */
    RANKING_ABSENT   /* not ours to answer: error says why */
};

struct ranking_answer {
    unsigned count;
    struct har_address addresses[RANKING_ANSWERS_MAX];
    char name[HAR_NAME_MAX + 1];      /* what was asked for, as har_name_key writes it */
    char canonical[HAR_NAME_MAX + 1]; /* the configured host: name, or what it is an alias of */
    int error; /* RANKING_ABSENT: ENOENT no such name or file, ESTALE row expired, EBADMSG not a
                  ranking or damaged, else the errno of open(2) or pread(2) */
};

/* Asks the file at path for name, as the caller typed it. family is AF_INET, AF_INET6 or AF_UNSPEC
 * (both). now_s is Unix time in seconds. errno is left as it was. All of answer but
 * error is meaningful for RANKING_FOUND alone. */
enum ranking_result ranking_lookup(const char *path, const char *name, int family, int64_t now_s,
                                   struct ranking_answer *answer);

#endif
