/* Stands between a process and its files (LD_PRELOAD): counts, records, fails or cuts short every change to a file
   below one directory, whoever makes it.

   Nothing happens until faults_begin() is called; `shim.py` does that. A change is a file made, written, resized,
   renamed, removed or synced. What stdio writes by itself never passes here, nor do writes to mapped memory: the
   product has neither, which `test_shim.py` checks with strace. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF, COUNT, KILL_BEFORE, KILL_HALFWAY, KILL_AFTER, FAIL, FAIL_HALFWAY, STOP };

enum kind {
    CREATE = 1,
    WRITE = 2,
    RESIZE = 4,
    ALLOCATE = 8,
    RENAME = 16,
    REMOVE = 32,
    MAKE_DIRECTORY = 64,
    SYNC = 128,
    OPEN = 256, /* changes nothing, but may fail */
    LINK = 512,
    NOTE = 1024 /* what the process says of itself, between two changes */
};

struct change {
    enum kind kind;
    char path[PATH_MAX];
    char other[PATH_MAX]; /* the new name of a renamed file */
    const void *data;
    size_t length;
    int64_t offset; /* of a write; the new size of a resized file */
    uint64_t inode;
    int fails;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum mode mode = OFF;
static int kinds, error_number, record = -1;
static long seen, at, times;
static char directory[PATH_MAX];
static const void *rest; /* of the write that was made shorter: who goes on writes it as the next change */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* -- what the tests call ------------------------------------------------------------------------------------------ */

void faults_begin(const char *where, int how, int which, long first, long count, int error, const char *log) {
    pthread_mutex_lock(&lock);
    snprintf(directory, sizeof directory, "%s", where);
    kinds = which, at = first, times = count, error_number = error, seen = 0;
    if (*log) {
        static int (*real)(const char *, int, ...);
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
        record = real(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (record < 0) abort();
    }
    mode = how;
    pthread_mutex_unlock(&lock);
}

void faults_end(void) {
    pthread_mutex_lock(&lock);
    mode = OFF;
    if (record >= 0) close(record);
    record = -1;
    pthread_mutex_unlock(&lock);
}

long faults_seen(void) { return seen; }

/* -- around a change ---------------------------------------------------------------------------------------------- */

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void put(const void *data, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    for (const char *left = data; length;) {
        ssize_t written = real(record, left, length);
        if (written <= 0) abort();
        left += written, length -= (size_t)written;
    }
}

static void put_record(const struct change *change) {
    uint64_t head[6] = {change->kind,  strlen(change->path),     strlen(change->other),
                        change->data ? change->length : 0, (uint64_t)change->offset, change->inode};
    put(head, sizeof head);
    put(change->path, head[1]);
    put(change->other, head[2]);
    put(change->data, head[3]);
}

void faults_note(const char *text) {
    struct change change = {.kind = NOTE};
    pthread_mutex_lock(&lock);
    snprintf(change.path, sizeof change.path, "%s", text);
    if (record >= 0) put_record(&change);
    pthread_mutex_unlock(&lock);
}

static int is_below(const char *path) {
    size_t length = strlen(directory);
    return !strncmp(path, directory, length) && (path[length] == '/' || !path[length]);
}

/* Half of it; less of what is as large as a block of DuckDB's file, of which the end is empty for long. */
static size_t first_piece(size_t length) { return length > 1 << 17 ? length / 64 : length / 2; }

/* Whether this change is watched: then the lock is held until after(). A write may be made shorter. */
static int before(struct change *change) {
    if (mode == OFF) return 0;
    pthread_mutex_lock(&lock);
    if (mode == OFF || !(change->kind & kinds) || !(is_below(change->path) || is_below(change->other))) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    int hit = ++seen >= at && (times < 0 || seen < at + times);
    if (hit && mode == KILL_BEFORE) die();
    if (hit && (mode == FAIL || mode == FAIL_HALFWAY)) {
        if (mode == FAIL_HALFWAY && seen == at && change->kind == WRITE && change->length > 1)
            change->length /= 2;
        else
            change->fails = 1;
    }
    if (hit && (mode == KILL_HALFWAY || (mode == STOP && change->data != rest)) && change->kind == WRITE &&
        change->length > 1) {
        change->length = first_piece(change->length);
        rest = (const char *)change->data + change->length;
    }
    return 1;
}

static void after(struct change *change, int done) {
    int saved = errno;
    if (done && record >= 0) put_record(change);
    if (seen == at && (mode == KILL_AFTER || mode == KILL_HALFWAY)) die();
    if (seen >= at && mode == STOP) raise(SIGSTOP);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static int refused(struct change *change) {
    after(change, 0);
    errno = error_number;
    return -1;
}

static void of_descriptor(struct change *change, int descriptor) {
    char link[64];
    struct stat facts;
    if (mode == OFF) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, change->path, sizeof change->path - 1);
    change->path[length < 0 ? 0 : length] = 0;
    change->inode = fstat(descriptor, &facts) ? 0 : facts.st_ino;
}

static void resolve(int place, const char *path, char *whole) {
    if (mode == OFF) return;
    if (*path == '/') {
        snprintf(whole, PATH_MAX, "%s", path);
        return;
    }
    char link[64], base[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", place);
    ssize_t length = readlink(place == AT_FDCWD ? "/proc/self/cwd" : link, base, sizeof base - 1);
    base[length < 0 ? 0 : length] = 0;
    if (snprintf(whole, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) abort();
}

static uint64_t inode_of(const char *path) {
    struct stat facts;
    return lstat(path, &facts) ? 0 : facts.st_ino;
}

#define RUN(change, call) \
    int watched = before(&change); \
    if (change.fails) return refused(&change); \
    __typeof__(call) result = call; \
    if (watched) after(&change, result >= 0); \
    return result

/* -- opening ------------------------------------------------------------------------------------------------------ */

static int opening(int (*real)(int, const char *, int, ...), int place, const char *path, int flags, mode_t access) {
    struct change change = {.kind = OPEN};
    struct stat facts;
    resolve(place, path, change.path);
    if (mode != OFF && flags & O_CREAT && lstat(change.path, &facts)) change.kind = CREATE;
    else if (mode != OFF && flags & O_TRUNC) change.kind = RESIZE;
    int watched = before(&change);
    if (change.fails) return refused(&change);
    int result = real(place, path, flags, access);
    if (watched) {
        int saved = errno;
        if (result >= 0 && !fstat(result, &facts)) change.inode = facts.st_ino;
        errno = saved;
        after(&change, result >= 0 && change.kind != OPEN);
    }
    return result;
}

static mode_t access_of(int flags, va_list more) {
    return flags & (O_CREAT | __O_TMPFILE) ? (mode_t)va_arg(more, int) : 0;
}

int openat(int place, const char *path, int flags, ...) {
    REAL(openat);
    va_list more;
    va_start(more, flags);
    mode_t access = access_of(flags, more);
    va_end(more);
    return opening(real, place, path, flags, access);
}

int open(const char *path, int flags, ...) {
    REAL(openat);
    va_list more;
    va_start(more, flags);
    mode_t access = access_of(flags, more);
    va_end(more);
    return opening(real, AT_FDCWD, path, flags, access);
}

int creat(const char *path, mode_t access) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, access); }
int __open_2(const char *path, int flags) { return open(path, flags); }
int __openat_2(int place, const char *path, int flags) { return openat(place, path, flags); }
int open64(const char *, int, ...) __attribute__((alias("open")));
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
int creat64(const char *, mode_t) __attribute__((alias("creat")));
int __open64_2(const char *, int) __attribute__((alias("__open_2")));
int __openat64_2(int, const char *, int) __attribute__((alias("__openat_2")));

/* -- writing ------------------------------------------------------------------------------------------------------ */

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    REAL(pwrite);
    struct change change = {.kind = WRITE, .data = data, .length = length, .offset = offset};
    of_descriptor(&change, descriptor);
    int watched = before(&change);
    if (change.fails) return refused(&change);
    ssize_t result = real(descriptor, data, change.length, offset);
    if (watched) change.length = result < 0 ? 0 : (size_t)result, after(&change, result >= 0);
    return result;
}

ssize_t write(int descriptor, const void *data, size_t length) {
    REAL(write);
    struct change change = {.kind = WRITE, .data = data, .length = length};
    of_descriptor(&change, descriptor);
    int watched = before(&change);
    if (change.fails) return refused(&change);
    ssize_t result = real(descriptor, data, change.length);
    if (watched) {
        change.length = result < 0 ? 0 : (size_t)result;
        change.offset = lseek(descriptor, 0, SEEK_CUR) - (off_t)change.length;
        after(&change, result >= 0);
    }
    return result;
}

/* A vector of buffers goes out one by one, as if the system had taken no more at once. */
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev);
    if (mode == OFF) return real(descriptor, parts, count);
    return count ? write(descriptor, parts->iov_base, parts->iov_len) : 0;
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    REAL(pwritev);
    if (mode == OFF) return real(descriptor, parts, count, offset);
    return count ? pwrite(descriptor, parts->iov_base, parts->iov_len, offset) : 0;
}

ssize_t pwritev2(int descriptor, const struct iovec *parts, int count, off_t offset, int flags) {
    REAL(pwritev2);
    if (mode == OFF) return real(descriptor, parts, count, offset, flags);
    return offset == -1 ? writev(descriptor, parts, count) : pwritev(descriptor, parts, count, offset);
}

/* Who is refused these copies by reading and writing. */
ssize_t copy_file_range(int from, off64_t *first, int to, off64_t *second, size_t length, unsigned flags) {
    REAL(copy_file_range);
    if (mode == OFF) return real(from, first, to, second, length, flags);
    errno = EXDEV;
    return -1;
}

ssize_t sendfile(int to, int from, off_t *first, size_t length) {
    REAL(sendfile);
    if (mode == OFF) return real(to, from, first, length);
    errno = EINVAL;
    return -1;
}

int ftruncate(int descriptor, off_t size) {
    REAL(ftruncate);
    struct change change = {.kind = RESIZE, .offset = size};
    of_descriptor(&change, descriptor);
    RUN(change, real(descriptor, size));
}

int truncate(const char *path, off_t size) {
    REAL(truncate);
    struct change change = {.kind = RESIZE, .offset = size, .inode = inode_of(path)};
    resolve(AT_FDCWD, path, change.path);
    RUN(change, real(path, size));
}

int fallocate(int descriptor, int how, off_t first, off_t length) {
    REAL(fallocate);
    struct change change = {.kind = ALLOCATE, .offset = how ? 0 : first + length};
    of_descriptor(&change, descriptor);
    RUN(change, real(descriptor, how, first, length));
}

int posix_fallocate(int descriptor, off_t first, off_t length) {
    REAL(posix_fallocate);
    struct change change = {.kind = ALLOCATE, .offset = first + length};
    of_descriptor(&change, descriptor);
    int watched = before(&change);
    if (change.fails) return refused(&change), error_number;
    int result = real(descriptor, first, length);
    if (watched) after(&change, !result);
    return result;
}

ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec *, int, off_t) __attribute__((alias("pwritev")));
ssize_t pwritev64v2(int, const struct iovec *, int, off_t, int) __attribute__((alias("pwritev2")));
ssize_t sendfile64(int, int, off_t *, size_t) __attribute__((alias("sendfile")));
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));
int truncate64(const char *, off_t) __attribute__((alias("truncate")));
int fallocate64(int, int, off_t, off_t) __attribute__((alias("fallocate")));
int posix_fallocate64(int, off_t, off_t) __attribute__((alias("posix_fallocate")));

/* -- syncing ------------------------------------------------------------------------------------------------------ */

int fsync(int descriptor) {
    REAL(fsync);
    struct change change = {.kind = SYNC};
    of_descriptor(&change, descriptor);
    RUN(change, real(descriptor));
}

int fdatasync(int descriptor) {
    REAL(fdatasync);
    struct change change = {.kind = SYNC};
    of_descriptor(&change, descriptor);
    RUN(change, real(descriptor));
}

/* -- names -------------------------------------------------------------------------------------------------------- */

int renameat2(int place, const char *path, int other_place, const char *other, unsigned flags) {
    REAL(renameat2);
    struct change change = {.kind = RENAME};
    resolve(place, path, change.path);
    resolve(other_place, other, change.other);
    change.inode = mode == OFF ? 0 : inode_of(change.path);
    RUN(change, real(place, path, other_place, other, flags));
}

int renameat(int place, const char *path, int other_place, const char *other) {
    return renameat2(place, path, other_place, other, 0);
}

int rename(const char *path, const char *other) { return renameat2(AT_FDCWD, path, AT_FDCWD, other, 0); }

int unlinkat(int place, const char *path, int flags) {
    REAL(unlinkat);
    struct change change = {.kind = REMOVE};
    resolve(place, path, change.path);
    RUN(change, real(place, path, flags));
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char *path) {
    struct stat facts;
    return unlinkat(AT_FDCWD, path, !lstat(path, &facts) && S_ISDIR(facts.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int place, const char *path, mode_t access) {
    REAL(mkdirat);
    struct change change = {.kind = MAKE_DIRECTORY};
    resolve(place, path, change.path);
    RUN(change, real(place, path, access));
}

int mkdir(const char *path, mode_t access) { return mkdirat(AT_FDCWD, path, access); }

int linkat(int place, const char *path, int other_place, const char *other, int flags) {
    REAL(linkat);
    struct change change = {.kind = LINK};
    resolve(place, path, change.path);
    resolve(other_place, other, change.other);
    RUN(change, real(place, path, other_place, other, flags));
}

int link(const char *path, const char *other) { return linkat(AT_FDCWD, path, AT_FDCWD, other, 0); }

/* Nobody makes these; should that change, the tests have to learn of them. */
int symlink(const char *target, const char *path) {
    REAL(symlink);
    char whole[PATH_MAX] = "";
    resolve(AT_FDCWD, path, whole);
    if (mode != OFF && is_below(whole)) abort();
    return real(target, path);
}
