#include "ranking/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/address.h"
#include "common/name.h"
#include "ranking/schema.h"

#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number

/* No journal: a table that fails half-way is thrown away whole. */
/* clang-format off */
#define PREPARE_DATABASE                                                                           \
    "PRAGMA page_size = " TEXT_OF(RANKING_PAGE_BYTES) ";"                                          \
    "PRAGMA encoding = 'UTF-8';"                                                                   \
    "PRAGMA application_id = " TEXT_OF(RANKING_APPLICATION_ID) ";"                                 \
    "PRAGMA user_version = " TEXT_OF(RANKING_USER_VERSION) ";"                                     \
    "PRAGMA journal_mode = OFF;"                                                                   \
    "BEGIN;" RANKING_CREATE_TABLE
/* clang-format on */
#define INSERT_ROW "INSERT INTO answer VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
#define FILE_HEADER_BYTES 100
#define APPLICATION_ID_AT 68 /* there it reads "har!" */
#define SELECT_ROOT "SELECT rootpage FROM sqlite_master WHERE name = 'answer'"

/* --- Rows that a reader can trust ------------------------------------------------------------- */

static const char *addresses_problem(const char *list)
{
    if (list[0] == '\0')
        return NULL;
    for (int count = 1;; count++) {
        char text[HAR_ADDRESS_TEXT_MAX];
        struct har_address address;
        size_t length = strcspn(list, " ");
        if (count > RANKING_ADDRESSES_MAX)
            return "more than " TEXT_OF(RANKING_ADDRESSES_MAX) " addresses";
        if (length >= sizeof text)
            return "an address that is none";
        memcpy(text, list, length);
        text[length] = '\0';
        if (har_address_parse(text, &address) != 0)
            return "an address that is none";
        if (list[length] == '\0')
            return NULL;
        list += length + 1;
    }
}

static size_t count_words(const char *list)
{
    size_t count = list[0] != '\0';
    for (; *list != '\0'; list++)
        count += *list == ' ';
    return count;
}

static bool is_weight(const char *text)
{
    const char *digits = text + (text[0] == '-');
    size_t count = strspn(digits, "0123456789");
    return count >= 1 && count <= 4 && atoi(digits) <= RANKING_WEIGHT_MAX &&
           (digits[count] == ' ' || digits[count] == '\0');
}

/* addresses is a good list. */
static const char *weights_problem(const char *weights, const char *addresses)
{
    if (weights == NULL)
        return NULL;
    size_t count = count_words(weights);
    if (count != count_words(addresses))
        return "not one weight for each address";
    for (; count > 0; count--) {
        if (!is_weight(weights))
            return "a weight out of -1000 to 1000";
        weights += strcspn(weights, " ") + 1;
    }
    return NULL;
}

static bool is_key(const char *name)
{
    char key[HAR_NAME_MAX + 1];
    return har_name_key(name, key) > 0 && strcmp(name, key) == 0;
}

const char *ranking_row_problem(const struct ranking_row *row)
{
    if (!is_key(row->name))
        return "a name that nobody can ask for";
    if (strlen(row->status) > RANKING_STATUS_MAX)
        return "a status of more than " TEXT_OF(RANKING_STATUS_MAX) " bytes";
    if (row->answers < 1 || row->answers > RANKING_ANSWERS_MAX)
        return "answers out of 1 to " TEXT_OF(RANKING_ANSWERS_MAX);
    if (row->alias_of != NULL &&
        (!is_key(row->alias_of) || har_name_problem(row->alias_of) != NULL))
        return "an alias of what is no name";
    const char *problem = addresses_problem(row->addresses);
    return problem != NULL ? problem : weights_problem(row->weights, row->addresses);
}

static int rows_check(const char *path, const struct ranking_row *rows, size_t row_count,
                      struct har_error *error)
{
    for (size_t i = 0; i < row_count; i++) {
        const char *problem = ranking_row_problem(&rows[i]);
        if (problem == NULL && i > 0 && strcmp(rows[i - 1].name, rows[i].name) >= 0)
            problem = "not in the order of names, or twice";
        if (problem != NULL)
            return har_fail(error, HAR_ERR_VALUE, "%s: row %zu, \"%.*s\": %s", path, i + 1,
                            HAR_NAME_MAX, rows[i].name, problem);
    }
    return HAR_OK;
}

/* --- The table, in memory --------------------------------------------------------------------- */

/* A bind of SQLITE_STATIC takes no memory and cannot fail. */
static int insert_row(sqlite3_stmt *insert, const struct ranking_row *row)
{
    sqlite3_bind_text(insert, 1 + RANKING_NAME, row->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 1 + RANKING_STATUS, row->status, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 1 + RANKING_ADDRESSES, row->addresses, -1, SQLITE_STATIC);
    sqlite3_bind_int(insert, 1 + RANKING_ANSWERS, (int)row->answers);
    sqlite3_bind_text(insert, 1 + RANKING_ALIAS_OF, row->alias_of, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 1 + RANKING_WEIGHTS, row->weights, -1, SQLITE_STATIC);
    sqlite3_step(insert);
    return sqlite3_reset(insert); /* repeats what made the step fail */
}

static int insert_rows(sqlite3 *db, const struct ranking_row *rows, size_t row_count,
                       int64_t expires_s)
{
    sqlite3_stmt *insert = NULL;
    int code = sqlite3_prepare_v2(db, INSERT_ROW, -1, &insert, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(insert, 1 + RANKING_EXPIRES, expires_s);
    for (size_t i = 0; i < row_count && code == SQLITE_OK; i++)
        code = insert_row(insert, &rows[i]);
    sqlite3_finalize(insert);
    return code;
}

static int root_page(sqlite3 *db)
{
    sqlite3_stmt *select = NULL;
    int page = 0;
    if (sqlite3_prepare_v2(db, SELECT_ROOT, -1, &select, NULL) == SQLITE_OK &&
        sqlite3_step(select) == SQLITE_ROW)
        page = sqlite3_column_int(select, 0);
    sqlite3_finalize(select);
    return page;
}

static int table_fill(sqlite3 *db, const struct ranking_row *rows, size_t row_count,
                      int64_t expires_s)
{
    int code = sqlite3_exec(db, PREPARE_DATABASE, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = insert_rows(db, rows, row_count, expires_s);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code;
}

/* Makes the bytes of the file; sqlite3_free them. */
static int image_make(const char *path, const struct ranking_row *rows, size_t row_count,
                      int64_t expires_s, unsigned char **image, size_t *image_bytes,
                      struct har_error *error)
{
    int result = HAR_OK;
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = table_fill(db, rows, row_count, expires_s);
    if (code == SQLITE_NOMEM)
        result = har_fail(error, HAR_ERR_MEMORY, "%s: cannot build the table: out of memory", path);
    else if (code != SQLITE_OK)
        result = har_fail(error, HAR_ERR_SQLITE, "%s: cannot build the table: %s", path,
                          sqlite3_errmsg(db));
    else if (root_page(db) != RANKING_ROOT_PAGE)
        result = har_fail(error, HAR_ERR_SQLITE, "%s: cannot build the table: root on page %d",
                          path, root_page(db));
    if (result == HAR_OK) {
        sqlite3_int64 bytes = 0;
        *image = sqlite3_serialize(db, "main", &bytes, 0);
        *image_bytes = (size_t)bytes;
        if (*image == NULL)
            result =
                har_fail(error, HAR_ERR_MEMORY, "%s: cannot copy the table: out of memory", path);
    }
    sqlite3_close(db);
    return result;
}

/* --- The file --------------------------------------------------------------------------------- */

/* The reason is errno. */
static int step_failed(const char *path, const char *step, struct har_error *error)
{
    return har_fail(error, HAR_ERR_IO, "%s: cannot %s: %s", path, step, strerror(errno));
}

static int write_all(int fd, const unsigned char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static bool lives_in_memory(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return false;
    uint32_t type = (uint32_t)fs.f_type; /* of another size and sign on each processor */
    return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

/* Asks the file system not to keep the time of access: on a file that every process of the machine
 * reads it is worth nothing and costs each pread 0.07 us. Not all file systems can. */
static void forget_access_times(int fd)
{
    int flags;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOATIME_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
}

/* Writes and closes the new file. */
static int file_write(const char *new_path, int fd, const unsigned char *image, size_t image_bytes,
                      struct har_error *error)
{
    int result = HAR_OK;
    forget_access_times(fd);
    if (write_all(fd, image, image_bytes) != 0)
        result = step_failed(new_path, "write", error);
    else if (fchmod(fd, 0644) != 0)
        result = step_failed(new_path, "make it readable for all", error);
    else if (!lives_in_memory(fd) && fsync(fd) != 0)
        result = step_failed(new_path, "synchronize", error);
    if (close(fd) != 0 && result == HAR_OK)
        result = step_failed(new_path, "close", error);
    return result;
}

static int folder_open(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : (int)(slash - path) + 1;
    snprintf(folder, sizeof folder, "%.*s.", length, path);
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A rename that a power cut undoes would bring back an older ranking. */
static int folder_synchronize(const char *path, int folder, struct har_error *error)
{
    if (lives_in_memory(folder) || fsync(folder) == 0)
        return HAR_OK;
    return step_failed(path, "synchronize the folder", error);
}

/* A wrong path in a configuration must not cost another program its file. The compiled-in path is
 * nobody else's: what is damaged there is mended. */
static bool is_ours(const char *path, int fd, const struct stat *file)
{
    char header[FILE_HEADER_BYTES];
    if (file->st_size == 0 || strcmp(path, HAR_RANKING_DB) == 0)
        return true;
    return pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header &&
           memcmp(header, "SQLite format 3", sizeof "SQLite format 3") == 0 &&
           memcmp(header + APPLICATION_ID_AT, "har!", 4) == 0;
}

static int target_check(const char *path, struct har_error *error)
{
    struct stat file;
    if (lstat(path, &file) != 0)
        return errno == ENOENT ? HAR_OK : step_failed(path, "look at it", error);
    if (!S_ISREG(file.st_mode))
        return har_fail(error, HAR_ERR_VALUE, "%s: not a regular file: move it away", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return step_failed(path, "look at it", error);
    bool ours = is_ours(path, fd, &file);
    close(fd);
    return ours ? HAR_OK
                : har_fail(error, HAR_ERR_VALUE, "%s: not a ranking of har: move it away", path);
}

static int file_replace(const char *path, const char *new_path, const unsigned char *image,
                        size_t image_bytes, struct har_error *error)
{
    unlink(new_path); /* left by a daemon that was killed */
    int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return step_failed(new_path, "create", error);
    int result = file_write(new_path, fd, image, image_bytes, error);
    if (result == HAR_OK && rename(new_path, path) != 0)
        result = step_failed(path, "replace", error);
    if (result != HAR_OK)
        unlink(new_path);
    return result;
}

static int image_install(const char *path, const unsigned char *image, size_t image_bytes,
                         struct har_error *error)
{
    char new_path[PATH_MAX];
    if ((size_t)snprintf(new_path, sizeof new_path, "%s.new", path) >= sizeof new_path) {
        errno = ENAMETOOLONG;
        return step_failed(path, "create", error);
    }
    int folder = folder_open(path);
    if (folder < 0)
        return step_failed(path, "open its folder", error);
    int result = target_check(path, error);
    if (result == HAR_OK)
        result = file_replace(path, new_path, image, image_bytes, error);
    if (result == HAR_OK)
        result = folder_synchronize(path, folder, error);
    close(folder);
    return result;
}

int ranking_publish(const char *path, const struct ranking_row *rows, size_t row_count,
                    int64_t expires_s, struct har_error *error)
{
    int result = rows_check(path, rows, row_count, error);
    if (result != HAR_OK)
        return result;
    unsigned char *image = NULL;
    size_t image_bytes = 0;
    result = image_make(path, rows, row_count, expires_s, &image, &image_bytes, error);
    if (result != HAR_OK)
        return result;
    result = image_install(path, image, image_bytes, error);
    sqlite3_free(image);
    return result;
}
