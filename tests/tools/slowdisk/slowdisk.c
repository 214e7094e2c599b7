/*
 * slowdisk: preloaded into a program, a disk that is told how to behave by files in the directory $SLOWDISK:
 *	slow	each fsync and fdatasync takes two seconds
 *	stuck	they don't come back while the file is there
 *	broken	they fail with EIO
 * What they would do they do not: a test looks at the waiting, not at the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
