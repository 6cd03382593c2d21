/* A library to preload: the time of day is off by CLOCK_SHIFT seconds for a process and all that it starts.

   Clocks that only count on stay as they are. Deadlines that a program gives as a time of day are put back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long shift(void) {
    static long seconds, known;
    if (!known) {
        const char *text = getenv("CLOCK_SHIFT");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

static struct timespec back(const struct timespec *t) {
    return (struct timespec){t->tv_sec - shift(), t->tv_nsec};
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    static __typeof__(&clock_gettime) next;
    if (!next) next = NEXT(clock_gettime);
    int failed = next(clock, t);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) t->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    int failed = NEXT(gettimeofday)(t, zone);
    if (!failed) t->tv_sec += shift();
    return failed;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *t) {
    clockid_t clock = CLOCK_REALTIME; /* how glibc keeps it: the second bit of __wrefs says monotonic */
    if (condition->__data.__wrefs & 2) clock = CLOCK_MONOTONIC;
    struct timespec deadline = clock == CLOCK_REALTIME ? back(t) : *t;
    return NEXT(pthread_cond_timedwait)(condition, mutex, &deadline);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *t) {
    struct timespec deadline = back(t);
    return NEXT(sem_timedwait)(semaphore, &deadline);
}

long syscall(long number, ...) {
    static long (*next)(long, ...);
    if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    struct timespec deadline;
    if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) && a[3]) {
        deadline = back((const struct timespec *)a[3]);
        a[3] = (long)&deadline;
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
