/* The layout of ranking.db, the one file that the daemon and libnss_har share: written by
 * publish.c through SQLite, read by lookup.c without it.
 *
 * One table, one row a name. For people too: sqlite3 ranking.db 'select * from answer'. */
#ifndef HAR_RANKING_SCHEMA_H
#define HAR_RANKING_SCHEMA_H

#define RANKING_APPLICATION_ID 0x68617221 /* "har!", at byte 68 of the file */
#define RANKING_USER_VERSION 1            /* at byte 60; raised when a reader must change */

/* Two pages fill lookup.c's first read, so that the root of the table comes with the header. With
 * 4096 every lookup costs one system call more; with 1024 the tree of 100,000 names grows deeper.
 */
#define RANKING_PAGE_BYTES 2048

/* Where SQLite puts the first table of a new file; publish.c checks. */
#define RANKING_ROOT_PAGE 2

#define RANKING_ADDRESSES_MAX 32 /* in one row: 16 of each family */
#define RANKING_ANSWERS_MAX 16   /* in one answer */
#define RANKING_STATUS_MAX 32    /* bytes */
#define RANKING_WEIGHT_MAX 1000
#define RANKING_ROW_MAX 4096 /* bytes of one row as stored; the longest allowed has 2,300 */

/* name       what is asked for, as har_name_key writes it
 * status     'answer'; 'fail': tell the caller to try again later (failure_mode none).
 *            Any other word means that har does not answer and the next service is asked;
 *            'forward' is the one in use
 * addresses  best first over both families, one blank between; may be empty
 * answers    how many of them one answer holds, counted within the family asked for
 * alias_of   the configured host that this name is an alias of, or NULL; a host name
 * expires    Unix time in seconds from which on the row is not to be believed
 * weights    NULL; or a number for each address, one blank between, -1000 to 1000. The addresses of
 * a family with another one than 0 are a group, of which each lookup puts one first, as often as
 * its weight without the sign says. Those above 0 are the group for who asks for both families. A
 * family's group is in front of its other addresses */
#define RANKING_CREATE_TABLE                                                                       \
    "CREATE TABLE answer(\n"                                                                       \
    "  name TEXT NOT NULL PRIMARY KEY,\n"                                                          \
    "  status TEXT NOT NULL,\n"                                                                    \
    "  addresses TEXT NOT NULL,\n"                                                                 \
    "  answers INTEGER NOT NULL,\n"                                                                \
    "  alias_of TEXT,\n"                                                                           \
    "  expires INTEGER NOT NULL,\n"                                                                \
    "  weights TEXT\n"                                                                             \
    ") WITHOUT ROWID"

enum ranking_column {
    RANKING_NAME,
    RANKING_STATUS,
    RANKING_ADDRESSES,
    RANKING_ANSWERS,
    RANKING_ALIAS_OF,
    RANKING_EXPIRES,
    RANKING_WEIGHTS,
    RANKING_COLUMNS
};

#define RANKING_STATUS_ANSWER "answer"
#define RANKING_STATUS_FAIL "fail"
#define RANKING_STATUS_FORWARD "forward"

#endif
