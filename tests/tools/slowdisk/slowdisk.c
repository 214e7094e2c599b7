/*
 * slowdisk: preloaded into a program, a disk that is told how to behave by files in the directory $SLOWDISK:
 *	slow	each fsync and fdatasync takes two seconds
 *	stuck	they don't come back while the file is there
 *	broken	they fail with EIO
 *	full, readonly	nothing is written to a database: ENOSPC, EROFS
 * What the first three would do they do not: a test looks at the waiting, not at the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int is_told(const char *what)
{
	const char *dir = getenv("SLOWDISK");
	char path[4096];

	if (!dir)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", dir, what);
	return access(path, F_OK) == 0;
}

static void sleep_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static int answer(void)
{
	if (is_told("slow"))
		sleep_ms(2000);
	while (is_told("stuck"))
		sleep_ms(10);
	if (!is_told("broken"))
		return 0;
	errno = EIO;
	return -1;
}

int fsync(int fd)
{
	(void)fd;
	return answer();
}

int fdatasync(int fd)
{
	(void)fd;
	return answer();
}

/* 0: the write may go on. */
static int refused(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	if (!is_told("full") && !is_told("readonly"))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	if (!strstr(path, ".db"))
		return 0;
	errno = is_told("full") ? ENOSPC : EROFS;
	return -1;
}

ssize_t write(int fd, const void *p, size_t n)
{
	return refused(fd) ? -1 : syscall(SYS_write, fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return refused(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

int ftruncate64(int fd, off64_t len)
{
	return refused(fd) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}
