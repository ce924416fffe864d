/* Large memory, in pages that the system makes larger on request. */

#ifndef BPCORE_MEMORY_H
#define BPCORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Fewest bytes that are worth it, as in NumPy, and the size of a page. */
#define BPCORE_HUGE ((size_t)1 << 22)
#define BPCORE_PAGE ((size_t)4096)

/* Asks for huge pages: fewer misses of the TLB.  It is a wish, which may fail. */
static inline void bpcore_prefer_huge_pages(void *start, size_t size) {
#if defined(MADV_HUGEPAGE)
    const size_t before = BPCORE_PAGE - (uintptr_t)start % BPCORE_PAGE;
    if (size >= BPCORE_HUGE)
        (void)madvise((char *)start + before, size - before, MADV_HUGEPAGE);
#else
    (void)start, (void)size;
#endif
}

#endif
