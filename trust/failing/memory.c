/* Memory that runs out at a chosen allocation, for LD_PRELOAD with glibc.
 *
 * Counted are the allocations of the C library that any shared object makes, and new
 * threads; or those of Python's three allocators. From `first` on, `many` of them fail. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

enum { NONE, C, PYTHON };
static int counted = NONE;
static long seen, first, end;

void memory_fails(int kind, long from, long many) {
    seen = 0, first = from, end = from + many;
    __atomic_store_n(&counted, kind, __ATOMIC_SEQ_CST);
}
/* Ends it; the number of allocations since. */
long memory_works(void) {
    __atomic_store_n(&counted, NONE, __ATOMIC_SEQ_CST);
    return seen;
}
static int fails(int kind) {
    if (__atomic_load_n(&counted, __ATOMIC_SEQ_CST) != kind)
        return 0;
    long n = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    return first <= n && n < end;
}
static void *none(void) {
    errno = ENOMEM;
    return NULL;
}

/* --- the C library ------------------------------------------------------------------- */

void *malloc(size_t n) { return fails(C) ? none() : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return fails(C) ? none() : __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return fails(C) ? none() : __libc_realloc(p, n); }
void *aligned_alloc(size_t a, size_t n) {
    return fails(C) ? none() : __libc_memalign(a, n);
}
int posix_memalign(void **p, size_t a, size_t n) {
    void *found = fails(C) ? NULL : __libc_memalign(a, n);
    if (!found)
        return ENOMEM;
    *p = found;
    return 0;
}
void *mmap(void *p, size_t n, int protection, int flags, int file, off_t at) {
    if (fails(C)) {
        none();
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, p, n, protection, flags, file, at);
}
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *x) {
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static create *real;
    if (!real)
        real = (create *)dlsym(RTLD_NEXT, "pthread_create");
    return fails(C) ? EAGAIN : real(t, a, f, x);
}

/* --- Python's allocators ------------------------------------------------------------- */

typedef struct {
    void *self;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *);
} allocator;

static allocator before[3];

static void *python_malloc(void *own, size_t n) {
    allocator *a = own;
    return fails(PYTHON) ? NULL : a->malloc(a->self, n);
}
static void *python_calloc(void *own, size_t n, size_t m) {
    allocator *a = own;
    return fails(PYTHON) ? NULL : a->calloc(a->self, n, m);
}
static void *python_realloc(void *own, void *p, size_t n) {
    allocator *a = own;
    return fails(PYTHON) ? NULL : a->realloc(a->self, p, n);
}
static void python_free(void *own, void *p) {
    allocator *a = own;
    a->free(a->self, p);
}

void hook_python(void) {
    typedef void access(int, allocator *);
    access *get = (access *)dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
    access *set = (access *)dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
    for (int domain = 0; domain < 3; domain++) {
        get(domain, &before[domain]);
        allocator own = {&before[domain], python_malloc, python_calloc, python_realloc,
                         python_free};
        set(domain, &own);
    }
}
