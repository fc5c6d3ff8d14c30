/* A filter of system calls for the calling thread, as linux/seccomp.h has them. */
#ifndef HAR_TESTS_SUPPORT_SECCOMP_H
#define HAR_TESTS_SUPPORT_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The parts of a filter: take the number of the call, compare it, decide about the rest. */
#define SECCOMP_LOAD_NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define SECCOMP_ON(number, action)                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), SECCOMP_OTHERWISE(action)
#define SECCOMP_OTHERWISE(action) BPF_STMT(BPF_RET | BPF_K, (action))

/* Returns a descriptor when flags ask for one. Ends the program where there is no seccomp. */
static inline int seccomp_install(struct sock_filter *filter, size_t count, unsigned long flags)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
    int result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (result == 0)
        result = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (result < 0) {
        perror("seccomp");
        _exit(EXIT_FAILURE);
    }
    return result;
}

#endif
