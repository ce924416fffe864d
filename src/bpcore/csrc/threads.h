/* Threads, mutexes and condition variables: POSIX threads, or those of Windows.
 * BPCORE_THREADS is not defined where there are none, as in WebAssembly; BPCORE_FORKS is
 * defined where a process can fork.
 *
 * Nothing is destroyed: the team lives as long as the process.  Only before a fork its
 * threads end, if they are idle. */

#ifndef BPCORE_THREADS_H
#define BPCORE_THREADS_H

#include <stddef.h>

#include "compiler.h"

#if defined(_WIN32)
#define BPCORE_THREADS
#include <process.h>

#include "win32.h"

typedef unsigned bpcore_thread; /* its number: no thread is joined here */
typedef SRWLOCK bpcore_mutex;
typedef CONDITION_VARIABLE bpcore_condition;

static inline void bpcore_mutex_init(bpcore_mutex *mutex) { InitializeSRWLock(mutex); }
static inline void bpcore_mutex_lock(bpcore_mutex *mutex) {
    AcquireSRWLockExclusive(mutex);
}
/* Whether the mutex was free, and is locked now. */
static inline int bpcore_mutex_try(bpcore_mutex *mutex) {
    return TryAcquireSRWLockExclusive(mutex) != 0;
}
static inline void bpcore_mutex_unlock(bpcore_mutex *mutex) {
    ReleaseSRWLockExclusive(mutex);
}

static inline void bpcore_condition_init(bpcore_condition *condition) {
    InitializeConditionVariable(condition);
}
/* May return without a wake; the mutex is locked before and after. */
static inline void bpcore_condition_wait(bpcore_condition *condition,
                                         bpcore_mutex *mutex) {
    SleepConditionVariableSRW(condition, mutex, INFINITE, 0);
}
static inline void bpcore_condition_wake_all(bpcore_condition *condition) {
    WakeAllConditionVariable(condition);
}

/* A thread's function is BPCORE_RESULT name(void *argument); it returns 0. */
#define BPCORE_RESULT unsigned __stdcall
typedef unsigned(__stdcall *bpcore_function)(void *argument);

/* Starts a thread; returns whether it was possible. */
static inline int bpcore_start_thread(bpcore_function function, void *argument,
                                      bpcore_thread *thread) {
    const uintptr_t handle = _beginthreadex(NULL, 0, function, argument, 0, thread);
    if (handle) CloseHandle((HANDLE)handle); /* the thread runs on */
    return handle != 0;
}

#elif !defined(__wasm__)
#define BPCORE_THREADS
#define BPCORE_FORKS
#include <pthread.h>
#include <signal.h>

typedef pthread_t bpcore_thread;
typedef pthread_mutex_t bpcore_mutex;
typedef pthread_cond_t bpcore_condition;

static inline void bpcore_mutex_init(bpcore_mutex *mutex) {
    pthread_mutex_init(mutex, NULL);
}
static inline void bpcore_mutex_lock(bpcore_mutex *mutex) { pthread_mutex_lock(mutex); }
static inline int bpcore_mutex_try(bpcore_mutex *mutex) {
    return pthread_mutex_trylock(mutex) == 0;
}
static inline void bpcore_mutex_unlock(bpcore_mutex *mutex) {
    pthread_mutex_unlock(mutex);
}

static inline void bpcore_condition_init(bpcore_condition *condition) {
    pthread_cond_init(condition, NULL);
}
static inline void bpcore_condition_wait(bpcore_condition *condition,
                                         bpcore_mutex *mutex) {
    pthread_cond_wait(condition, mutex);
}
static inline void bpcore_condition_wake_all(bpcore_condition *condition) {
    pthread_cond_broadcast(condition);
}

#define BPCORE_RESULT void *
typedef void *(*bpcore_function)(void *argument);

static inline int bpcore_start_thread(bpcore_function function, void *argument,
                                      bpcore_thread *thread) {
    /* Signals are delivered to the program's own threads, never to this one. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, NULL, function, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

/* Waits until a thread has ended. */
static inline void bpcore_join_thread(bpcore_thread thread) { pthread_join(thread, NULL); }

/* Python's number of this thread. */
static inline size_t bpcore_this_thread(void) { return (size_t)pthread_self(); }

/* Functions for each fork: before it, and after it in the parent and in the child. */
static inline void bpcore_call_around_fork(void (*before)(void), void (*parent)(void),
                                           void (*child)(void)) {
    pthread_atfork(before, parent, child);
}
#endif

/* A short pause of a thread that spins. */
static inline void bpcore_pause(void) {
#if !defined(BPCORE_GNU_C)
    YieldProcessor();
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

#endif
