/* What the parts of host_program share. Nothing here is har's: it knows the module as glibc does.
 *
 * Whatever is found wrong ends the program with one line that says so. */
#ifndef HAR_TESTS_SUPPORT_HOST_PROGRAM_H
#define HAR_TESTS_SUPPORT_HOST_PROGRAM_H

/* Says what is wrong, of several threads and children the first, and ends the calling process. */
_Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...);

/* fail with the text of errno behind what, unless the condition holds. */
void need(int condition, const char *what);

/* --- host_ask.c: lookups, and whether the answers are right ----------------------------------- */

/* Every question through getaddrinfo(3) and gethostbyname(3). Returns how many lookups it took. */
int ask_glibc(void);

/* The same through the module's entry points: no code of glibc stands between. Takes no descriptor,
 * no heap and little stack but what the module takes. Loads it first unless that was done. */
int ask_module(void);
void load_module(void);

/* One name that exists, through getaddrinfo(3) or gethostbyname4_r: for loops in threads. */
void ask_glibc_once(void);
void ask_module_once(void);

/* Both, for what must hold of all that a program can ask. */
int ask_everything(void);

/* The module has no ranking, because of this errno, and says so. */
void expect_unavailable(int error);

/* So the next service answered every question through glibc. */
void expect_next_service(void);

/* --- host_holds.c: what the process holds ----------------------------------------------------- */

/* Remembers what there is, and compares it with what there was then: descriptors, mappings, heap.
 * The heap is compared to the byte where the story took glibc's caches from it. Memory is another
 * matter, because stacks grow into theirs: it is only for what ran just so before it was
 * remembered. */
void holds_remember(void);
void holds_compare(void);
void holds_compare_memory(void);

#define HOLDS_LAST 255 /* the last descriptor that is looked at */

/* None of the descriptors first to last is open. */
void holds_no_descriptor(int first, int last);

/* --- host_threads.c: modes -------------------------------------------------------------------- */

void forks(void);
void forks_of_glibc(void);
void programs_started(void);
void cancelled(void);
void small_stack(void);
void small_stack_of_glibc(void);

#endif
