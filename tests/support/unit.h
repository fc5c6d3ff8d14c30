/* What every unit test shares: one main for one suite. */
#ifndef HAR_TESTS_SUPPORT_UNIT_H
#define HAR_TESTS_SUPPORT_UNIT_H

#include <check.h>
#include <stdlib.h>

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
