/*
 * slownss: preloaded into a program, a directory of users on a network that does not answer: while the file $SLOWNSS is there, names of
 * users are not looked up, and who asks waits. Only asking for the operator of a test is meant; whatever else asks waits, too.
 */
#include <dlfcn.h>
#include <pwd.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_for_network(void)
{
	const char *path = getenv("SLOWNSS");
	const struct timespec t = { 0, 20 * 1000 * 1000 };

	while (path && access(path, F_OK) == 0)
		nanosleep(&t, NULL);
}

struct passwd *getpwnam(const char *name)
{
	struct passwd *(*next)(const char *);

	*(void **)&next = dlsym(RTLD_NEXT, "getpwnam");
	wait_for_network();
	return next(name);
}

int getpwnam_r(const char *name, struct passwd *pw, char *mem, size_t len, struct passwd **ret)
{
	int (*next)(const char *, struct passwd *, char *, size_t, struct passwd **);

	*(void **)&next = dlsym(RTLD_NEXT, "getpwnam_r");
	wait_for_network();
	return next(name, pw, mem, len, ret);
}
