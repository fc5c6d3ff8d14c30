/* What every unit test shares: one main for one suite. */
#ifndef HAR_TESTS_SUPPORT_UNIT_H
#define HAR_TESTS_SUPPORT_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

/* Several times slower, with larger frames. */
#if defined(__has_feature)
#define UNIT_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SANITIZED 1
#else
#define UNIT_SANITIZED 0
#endif

/* Does HAR_LONG ask for all that takes longer than `make check` may? */
static inline bool unit_is_long(void)
{
    const char *wanted = getenv("HAR_LONG");
    return wanted != NULL && wanted[0] != '\0';
}

/* Runs a suite, each test in a process of its own, and frees it. Returns main's exit status. */
static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
