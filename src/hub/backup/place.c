#include "hub/backup/place.h"
#include "os/file/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

int place_lock(const char *dir, int *ret, struct err_at *at)
{
	char path[PATH_LEN];
	long owner;
	int rc = file_make_dir(dir, 0700);

	if (rc < 0)
		return file_explain(dir, rc, at);
	snprintf(path, sizeof(path), "%s/hub.lock", dir);
	rc = file_lock(path, ret, &owner);
	if (rc == -EWOULDBLOCK)
		err_at_set(at, 0, 0,
			"a hub is running with %.200s (process %ld): end it first (systemctl stop warren-hub), then again",
			dir, owner);
	else if (rc < 0)
		file_explain(path, rc, at);
	return rc;
}

bool place_has_hub(const char *dir)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/hub.db", dir);
	return access(path, F_OK) == 0;
}

int place_give(const char *dir, const char *path)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (stat(dir, &st) != 0 || lchown(path, st.st_uid, st.st_gid) != 0)
		return -errno;
	return 0;
}
