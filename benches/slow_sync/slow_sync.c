/* Makes a fast disk's syncs slow: fsync and fdatasync wait SLOW_SYNC_MICROSECONDS, then do what they always do.
 *
 * Preloaded into a PostgreSQL server (LD_PRELOAD), which syncs its log with fdatasync and its files with fsync. It does
 * not reach wal_sync_method = open_sync or open_datasync, where the write itself is the sync, nor msync.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static struct timespec delay;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("SLOW_SYNC_MICROSECONDS");
    long microseconds = text ? atol(text) : 0;

    delay.tv_sec = microseconds / 1000000;
    delay.tv_nsec = microseconds % 1000000 * 1000;
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

/* The server's processes signal each other all the time, and a disk does not hurry for that. */
static void wait_for_the_disk(void)
{
    struct timespec left = delay;

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

int fsync(int file)
{
    wait_for_the_disk();
    return real_fsync(file);
}

int fdatasync(int file)
{
    wait_for_the_disk();
    return real_fdatasync(file);
}
