/* A disk that remembers what it has not written yet.
 *
 * Preloaded into the server, this file stands between it and the C library wherever a file of the
 * data directory (LEDGER_DISK_DIR) is changed, and writes into a journal (LEDGER_DISK_JOURNAL) what
 * is needed to undo the change: the bytes that were there, the old length, the name. An fsync goes
 * into the journal too. After the server's death, however it came, the test undoes changes that no
 * fsync covers: that is the power cut. `tests/ledger/cut.rs` reads what is written here.
 *
 * What is journalled comes before what is done, in one lock, so the journal has the order of the
 * changes, and a death in between leaves a record whose undoing changes nothing. No fsync reaches
 * the real disk: what counts as durable is what the journal says.
 *
 * Everything is asked of the kernel by syscall(2), so nothing here comes back to itself. The data
 * directory is flat; the index that SQLite shares by mmap (-shm) is not kept over a restart and is
 * not watched. Changes that this file cannot undo end the process: better no answer than a wrong one.
 *
 *   LEDGER_DISK_LIES=1         an fsync is told to have worked and is not journalled (a control)
 *   LEDGER_DISK_SYNC_US=N      an fsync takes up to N microseconds
 *   LEDGER_DISK_DIES=NAME:N    the process is killed at the N-th write to the file NAME, or, when NAME
 *                              is *, at the N-th change of anything
 *   LEDGER_DISK_FAILS=N        the N-th fsync fails with EIO, and so does every later one
 *   LEDGER_DISK_RECORDS=N      the journal has N records already
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE, SYNC, CREATE, LINK, UNLINK, RENAME };
enum { FILES = 4096, NAME = 96 };

/* What precedes the name and the old bytes in the journal; all numbers as this machine has them. */
struct record {
    uint32_t kind, name_length;
    uint64_t offset;     /* WRITE: where; TRUNCATE: the new length; SYNC: the records it covers */
    uint64_t length;     /* WRITE: how much; UNLINK: under which number the file is kept */
    uint64_t old_size;   /* WRITE, TRUNCATE: the length of the file before */
    uint64_t old_length; /* how many old bytes follow */
};

static char names[FILES][NAME]; /* of the open files that are watched; "." is the directory */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *dir, *dies_name;
static size_t dir_length;
static int journal = -1, lies;
static long sync_us, dies_at, fails_at, syncs;
static uint64_t records, kept;
static char kept_path[4096];

static void give_up(const char *what) {
    dprintf(2, "disk.c: %s cannot be undone\n", what);
    abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LEDGER_DISK_JOURNAL"), *text;
    dir = getenv("LEDGER_DISK_DIR");
    if (!path || !dir) return;
    dir_length = strlen(dir);
    snprintf(kept_path, sizeof kept_path, "%s", path);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) give_up(path);
    lies = getenv("LEDGER_DISK_LIES") != NULL;
    if ((text = getenv("LEDGER_DISK_SYNC_US"))) sync_us = atol(text);
    /* After a death without a power cut the journal goes on, and what was not durable is not yet. */
    if ((text = getenv("LEDGER_DISK_RECORDS"))) kept = records = strtoull(text, NULL, 10);
    if ((text = getenv("LEDGER_DISK_FAILS"))) fails_at = atol(text);
    if ((text = getenv("LEDGER_DISK_DIES")) && strchr(text, ':')) {
        dies_at = atol(strchr(text, ':') + 1);
        dies_name = strndup(text, (size_t)(strchr(text, ':') - text));
    }
}

/* The name of a path in the directory, "." for the directory itself, or none. */
static const char *inside(const char *path) {
    if (journal < 0 || strncmp(path, dir, dir_length) != 0) return NULL;
    path += dir_length;
    if (*path == 0 || strcmp(path, "/") == 0) return ".";
    if (*path++ != '/') return NULL;
    size_t length = strlen(path);
    if (length >= 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;
    if (strchr(path, '/') || length >= NAME) give_up(path);
    return path;
}

static const char *watched(int fd) {
    return journal >= 0 && fd >= 0 && fd < FILES && names[fd][0] ? names[fd] : NULL;
}

/* Appends a record in one write, so that a death leaves it whole or as a torn end. */
static void note(struct record *record, const char *name, const void *old) {
    size_t name_length = strlen(name), length;
    record->name_length = (uint32_t)name_length;
    length = sizeof *record + name_length + record->old_length;
    char small[8192], *bytes = length <= sizeof small ? small : malloc(length);
    if (!bytes) give_up("a change without memory");
    memcpy(bytes, record, sizeof *record);
    memcpy(bytes + sizeof *record, name, name_length);
    if (record->old_length) memcpy(bytes + sizeof *record + name_length, old, record->old_length);
    if (syscall(SYS_write, journal, bytes, length) != (long)length) give_up("a full journal");
    if (bytes != small) free(bytes);
    records++;
    if (dies_name && (*dies_name == '*' || (record->kind == WRITE && strcmp(dies_name, name) == 0))) {
        if (--dies_at == 0) raise(SIGKILL);
    }
}

static uint64_t size_of(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) give_up("a file without a length");
    return (uint64_t)status.st_size;
}

/* The bytes of a file from `offset`, at most `length`; to be freed. */
static char *old_bytes(int fd, uint64_t offset, uint64_t length) {
    char *old = malloc(length);
    if (!old) give_up("a change without memory");
    for (uint64_t done = 0; done < length;) {
        long n = syscall(SYS_pread64, fd, old + done, length - done, offset + done);
        if (n <= 0) give_up("a write to what cannot be read");
        done += (uint64_t)n;
    }
    return old;
}

static void note_write(int fd, const char *name, uint64_t offset, uint64_t length) {
    struct record record = {.kind = WRITE, .offset = offset, .length = length, .old_size = size_of(fd)};
    char *old = NULL;
    if (offset < record.old_size) {
        uint64_t rest = record.old_size - offset;
        record.old_length = length < rest ? length : rest;
        old = old_bytes(fd, offset, record.old_length);
    }
    note(&record, name, old);
    free(old);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    const char *name = watched(fd);
    if (!name) return syscall(SYS_pwrite64, fd, bytes, length, offset);
    pthread_mutex_lock(&lock);
    note_write(fd, name, (uint64_t)offset, length);
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    const char *name = watched(fd);
    if (!name) return syscall(SYS_write, fd, bytes, length);
    pthread_mutex_lock(&lock);
    note_write(fd, name, (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR), length);
    ssize_t done = syscall(SYS_write, fd, bytes, length);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off64_t length) {
    const char *name = watched(fd);
    if (!name) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&lock);
    struct record record = {.kind = TRUNCATE, .offset = (uint64_t)length, .old_size = size_of(fd)};
    char *old = NULL;
    if ((uint64_t)length < record.old_size) {
        record.old_length = record.old_size - (uint64_t)length;
        old = old_bytes(fd, (uint64_t)length, record.old_length);
    }
    note(&record, name, old);
    free(old);
    int done = (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* What was written when the call began is durable when it returns; what came meanwhile is not. */
int fsync(int fd) {
    const char *name = watched(fd);
    if (!name) return (int)syscall(SYS_fsync, fd);
    pthread_mutex_lock(&lock);
    struct record record = {.kind = SYNC, .offset = records};
    int fails = ++syncs >= fails_at && fails_at > 0;
    pthread_mutex_unlock(&lock);
    if (sync_us > 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        struct timespec time = {.tv_nsec = now.tv_nsec % sync_us * 1000};
        syscall(SYS_nanosleep, &time, NULL);
    }
    if (fails) return errno = EIO, -1;
    if (lies) return 0;
    pthread_mutex_lock(&lock);
    note(&record, name, NULL);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fdatasync(int fd) { return fsync(fd); }

static int opened(int at, const char *path, int flags, mode_t mode) {
    const char *name = inside(path);
    if (!name) return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat status;
    int there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    if (there && (flags & O_TRUNC) && stat(path, &status) == 0 && status.st_size > 0) give_up("O_TRUNC");
    if (!there && (flags & O_CREAT)) note(&(struct record){.kind = CREATE}, name, NULL);
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= FILES) give_up("a file with so high a number");
    if (fd >= 0) strcpy(names[fd], name);
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, int) : 0;
}

#define OPEN(function)                                    \
    int function(const char *path, int flags, ...) {      \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode_t mode = mode_of(flags, rest);               \
        va_end(rest);                                     \
        return opened(AT_FDCWD, path, flags, mode);       \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function)                                  \
    int function(int at, const char *path, int flags, ...) { \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode_t mode = mode_of(flags, rest);               \
        va_end(rest);                                     \
        return opened(at, path, flags, mode);             \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    if (watched(fd)) {
        pthread_mutex_lock(&lock);
        names[fd][0] = 0;
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_close, fd);
}

/* A file that goes is kept beside the journal under a number, so that it can come back. */
int unlink(const char *path) {
    const char *name = inside(path);
    if (!name) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    char other[sizeof kept_path + 24];
    pthread_mutex_lock(&lock);
    snprintf(other, sizeof other, "%s.%llu", kept_path, (unsigned long long)++kept);
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, other, 0) == 0) {
        note(&(struct record){.kind = UNLINK, .length = kept}, name, NULL);
    } else if (errno != ENOENT) {
        give_up("an unlink over file systems");
    }
    int done = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    const char *name = inside(to);
    pthread_mutex_lock(&lock);
    /* Should the name be taken, nothing happens, and nothing is to be undone. */
    if (name && syscall(SYS_faccessat, AT_FDCWD, to, F_OK) != 0) {
        note(&(struct record){.kind = LINK}, name, NULL);
    }
    int done = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
    pthread_mutex_unlock(&lock);
    return done;
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* Only to a name that is free, which is all that the server does. */
int rename(const char *from, const char *to) {
    const char *name = inside(to), *old = inside(from);
    pthread_mutex_lock(&lock);
    if (name || old) {
        if (!name || !old || syscall(SYS_faccessat, AT_FDCWD, to, F_OK) == 0) give_up("a rename");
        struct record record = {.kind = RENAME, .old_length = strlen(old)};
        note(&record, name, old);
    }
    int done = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
