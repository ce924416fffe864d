/* A disk that fails at a chosen call, for LD_PRELOAD with glibc.
 *
 * Calls of the kinds of `which` are counted; the call `first` fails with the error, or,
 * where that is -1, reads or writes one byte only. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, OPEN = 8, READ = 16, RESERVE = 32 };
static int which, error;
static long seen, first;

void disk_fails(int calls, long at, int number) {
    seen = 0, first = at, error = number, which = calls;
}
long disk_works(void) {
    which = 0;
    return seen;
}
static int fails(int call) { return (which & call) && ++seen == first; }
static int failed(void) {
    errno = error;
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *p, size_t n) {
    if (file > 2 && fails(WRITE)) {
        if (error != -1)
            return failed();
        n = n > 1 ? 1 : n;
    }
    return REAL(write)(file, p, n);
}
ssize_t read(int file, void *p, size_t n) {
    if (file > 2 && fails(READ)) {
        if (error != -1)
            return failed();
        n = n > 1 ? 1 : n;
    }
    return REAL(read)(file, p, n);
}
ssize_t preadv64v2(int file, const struct iovec *v, int n, off64_t at, int flags) {
    if (fails(READ)) {
        if (error != -1)
            return failed();
        return pread64(file, v->iov_base, v->iov_len > 1 ? 1 : v->iov_len, at);
    }
    return REAL(preadv64v2)(file, v, n, at, flags);
}
ssize_t preadv64(int file, const struct iovec *v, int n, off64_t at) {
    if (fails(READ)) {
        if (error != -1)
            return failed();
        return pread64(file, v->iov_base, v->iov_len > 1 ? 1 : v->iov_len, at);
    }
    return REAL(preadv64)(file, v, n, at);
}
int fsync(int file) { return fails(SYNC) ? failed() : REAL(fsync)(file); }
int rename(const char *a, const char *b) {
    return fails(RENAME) ? failed() : REAL(rename)(a, b);
}
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return fails(OPEN) ? failed() : REAL(open64)(path, flags, mode);
}
int fallocate64(int file, int mode, off64_t at, off64_t n) {
    typedef int function(int, int, off64_t, off64_t);
    function *real = (function *)dlsym(RTLD_NEXT, "fallocate64");
    return fails(RESERVE) ? failed() : real(file, mode, at, n);
}
