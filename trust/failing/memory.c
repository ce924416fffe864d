/* Memory that runs out at a chosen allocation, for LD_PRELOAD with glibc.
 *
 * Counted are the allocations of the C library that any shared object makes, and new
 * threads; or those of Python's three allocators. From `first` on, `many` of them fail;
 * the stack of the last one tells whose it was. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

enum { NONE, C, PYTHON };
static int counted = NONE;
static long seen, first, end;

/* Of the last failure: the compiled module whose allocation it was, and whether one of
 * `own_modules` was at work. */
static char module[256], own_modules[4096] = "?";
static int own_at_work;

static void note_stack(void);

void memory_fails(int kind, long from, long many) {
    seen = 0, first = from, end = from + many;
    module[0] = 0, own_at_work = 0;
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
    if (n < first || end <= n)
        return 0;
    note_stack();
    return 1;
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

/* --- whose allocation fails ---------------------------------------------------------- */

static const char *file_of(void *address, const char **function) {
    Dl_info about;
    if (!dladdr(address, &about) || !about.dli_fname)
        return "";
    *function = about.dli_sname ? about.dli_sname : "";
    return about.dli_fname;
}

/* The innermost module that is neither Python's own library nor below it; "" if the
 * allocation is one of the interpreter. */
static void note_stack(void) {
    static __thread int inside;
    void *stack[128];
    const char *function = "", *skipped[3];
    int found = 0;
    if (inside)
        return;
    inside = 1;
    skipped[0] = file_of((void *)note_stack, &function);
    skipped[1] = file_of((void *)backtrace, &function);
    skipped[2] = file_of(dlsym(RTLD_DEFAULT, "PyMem_GetAllocator"), &function);
    for (int i = 0, n = backtrace(stack, 128); i < n; i++) {
        const char *file = file_of(stack[i], &function);
        int skip = !*file;
        for (int j = 0; j < 3; j++)
            skip |= !strcmp(file, skipped[j]);
        found |= !strcmp(function, "_PyEval_EvalFrameDefault");
        if (!skip && !found) {
            strncpy(module, file, sizeof module - 1);
            found = 1;
        }
        own_at_work |= !strncmp(file, own_modules, strlen(own_modules));
    }
    inside = 0;
}
const char *failed_module(void) { return module; }
int failed_in_own(void) { return own_at_work; }

/* After a crash: whose allocation had failed. */
static void tell(int number) {
    dprintf(2, "allocation failed in: %s%s\n", module, own_at_work ? " (own)" : "");
    signal(number, SIG_DFL);
    raise(number);
}

/* Before the first failure, and before faulthandler is enabled, which calls the handlers
 * that it finds: the folder of our modules. */
void prepare(const char *folder) {
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
    void *stack[1];
    for (int i = 0; i < 4; i++) signal(fatal[i], tell);
    strncpy(own_modules, folder, sizeof own_modules - 1);
    backtrace(stack, 1); /* loads a library */
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
