/* A libsqlite3 that is none: an old version number, and functions that end the process.
 *
 * Linked into a program (lookup_client_sqlite) or preloaded as libsqlite3.so.0, it stands where
 * whoever uses libsqlite3 in that process finds it first. */
#include <stdio.h>
#include <stdlib.h>

const char *sqlite3_libversion(void);
int sqlite3_libversion_number(void);

const char *sqlite3_libversion(void)
{
    return "3.6.0";
}

int sqlite3_libversion_number(void)
{
    return 3006000;
}

#define BOGUS(name)                                                                                \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        fputs(#name " was called\n", stderr);                                                      \
        abort();                                                                                   \
    }

BOGUS(sqlite3_auto_extension)
BOGUS(sqlite3_bind_text)
BOGUS(sqlite3_busy_timeout)
BOGUS(sqlite3_close)
BOGUS(sqlite3_close_v2)
BOGUS(sqlite3_column_bytes)
BOGUS(sqlite3_column_int64)
BOGUS(sqlite3_column_text)
BOGUS(sqlite3_config)
BOGUS(sqlite3_db_config)
BOGUS(sqlite3_errmsg)
BOGUS(sqlite3_exec)
BOGUS(sqlite3_finalize)
BOGUS(sqlite3_free)
BOGUS(sqlite3_initialize)
BOGUS(sqlite3_malloc)
BOGUS(sqlite3_malloc64)
BOGUS(sqlite3_mutex_alloc)
BOGUS(sqlite3_open)
BOGUS(sqlite3_open_v2)
BOGUS(sqlite3_os_init)
BOGUS(sqlite3_prepare)
BOGUS(sqlite3_prepare_v2)
BOGUS(sqlite3_prepare_v3)
BOGUS(sqlite3_realloc)
BOGUS(sqlite3_reset)
BOGUS(sqlite3_shutdown)
BOGUS(sqlite3_step)
BOGUS(sqlite3_threadsafe)
BOGUS(sqlite3_vfs_find)
BOGUS(sqlite3_vfs_register)
