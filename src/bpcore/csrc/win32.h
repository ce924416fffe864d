/* The Windows API, without the macros that are names of variables here. */

#ifndef BPCORE_WIN32_H
#define BPCORE_WIN32_H

#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#undef near
#undef far

#endif
