/* Turns of threads that search at the same time.

   A search keeps Python's lock but for its longest part. A thread that has done with that part while another has the
   lock would be put to sleep, and is awake again only 0.05 to 0.1 ms after the lock is free: about as long as a search
   takes, so that two threads are no quicker than one. So it waits here first, awake and without the lock, for the one
   whose turn it is to come to that part again; not for long, as that one may be about something else by now. */

#include "native.h"

#if defined(__unix__) || defined(__APPLE__)

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define PATIENCE 150000 /* Nanoseconds from the beginning of a turn: longer than the rest of a search takes. */

static _Atomic unsigned long whose; /* 0: nobody's. */
static _Atomic int64_t began;

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void leave_turn(void)
{
    unsigned long mine = PyThread_get_thread_ident();
    atomic_compare_exchange_strong(&whose, &mine, 0);
}

void await_turn(void)
{
    unsigned long mine = PyThread_get_thread_ident();
    for (;;) {
        unsigned long nobody = 0;
        if (atomic_compare_exchange_strong(&whose, &nobody, mine) || nobody == mine)
            break;
        if (nanoseconds() - atomic_load(&began) > PATIENCE) {
            atomic_store(&whose, mine);
            break;
        }
        sched_yield();
    }
    atomic_store(&began, nanoseconds());
}

#else

void leave_turn(void)
{
}

void await_turn(void)
{
}

#endif
