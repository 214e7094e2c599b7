#include "os/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096, WHO_LEN = 64 };

static const char *who_am_i(char who[static WHO_LEN])
{
	const struct passwd *p = getpwuid(geteuid());

	snprintf(who, WHO_LEN, "user %s (number %u)", p ? p->pw_name : "without a name",
		(unsigned)geteuid());
	return who;
}

/* The first directory on the way that is closed to us; false: none is. */
static bool closed_directory(const char *file, char dir[static PATH_LEN])
{
	for (const char *slash = strchr(file + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, PATH_LEN, "%.*s", (int)(slash - file), file);
		if (faccessat(AT_FDCWD, dir, X_OK, AT_EACCESS) != 0 && errno == EACCES)
			return true;
	}
	return false;
}

int file_explain(const char *path, int rc, struct err_at *at)
{
	char who[WHO_LEN], dir[PATH_LEN];

	if (rc == -ENOENT || rc == -ENOTDIR)
		err_at_set(at, 0, 0, "%s: there is no such file", path);
	else if (rc == -EACCES && closed_directory(path, dir))
		err_at_set(at, 0, 0,
			"%s: the directory %s is closed to %s, as whom this program runs", path,
			dir, who_am_i(who));
	else if (rc == -EACCES)
		err_at_set(at, 0, 0, "%s: closed to %s, as whom this program runs", path,
			who_am_i(who));
	else
		err_at_set(at, 0, 0, "%s: %s", path, err_text(rc));
	return rc;
}
