#include "os/priv/priv.h"

#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int priv_harden(void)
{
	umask(077);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static bool is_kept(cap_value_t c, const cap_value_t *keep, size_t n_keep)
{
	for (size_t i = 0; i < n_keep; i++)
		if (keep[i] == c)
			return true;
	return false;
}

/* Children cannot have more than this. Needs CAP_SETPCAP; without it there is little that they could gain. */
static int cut_bounding(const cap_value_t *keep, size_t n_keep)
{
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
		if (!is_kept(c, keep, n_keep) && cap_get_bound(c) == 1 && cap_drop_bound(c) < 0 &&
			errno != EPERM)
			return -errno;
	return 0;
}

/* Of what we have, what is in the list. */
static int keep_only(const cap_value_t *keep, size_t n_keep)
{
	cap_t have = cap_get_proc(), want = cap_init();
	int rc = have && want ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < n_keep; i++) {
		cap_flag_value_t v = CAP_CLEAR;

		if (cap_get_flag(have, keep[i], CAP_PERMITTED, &v) < 0 || v != CAP_SET)
			continue;
		if (cap_set_flag(want, CAP_PERMITTED, 1, &keep[i], CAP_SET) < 0 ||
			cap_set_flag(want, CAP_EFFECTIVE, 1, &keep[i], CAP_SET) < 0)
			rc = -errno;
	}
	if (rc == 0 && (cap_reset_ambient() < 0 || cap_set_proc(want) < 0))
		rc = -errno;
	cap_free(have);
	cap_free(want);
	return rc;
}

int priv_keep_network(void)
{
	static const cap_value_t keep[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE };
	int rc = cut_bounding(keep, ARRAY_LEN(keep));

	return rc < 0 ? rc : keep_only(keep, ARRAY_LEN(keep));
}

/* 0: found. */
static int find_user(const char *user, struct passwd *ret, char *mem, size_t mem_len)
{
	struct passwd *found = NULL;
	int rc = getpwnam_r(user, ret, mem, mem_len, &found);

	return rc ? -rc : found ? 0 : -ENOENT;
}

static int become(const char *user)
{
	char mem[4096];
	struct passwd pw;
	int rc = find_user(user, &pw, mem, sizeof(mem));

	if (rc < 0)
		return rc;
	if (getuid() == pw.pw_uid)
		return 0;
	if (initgroups(user, pw.pw_gid) < 0 || setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid) < 0 ||
		setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid) < 0)
		return -errno;
	/* Changing the user makes the process dumpable again. */
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

int priv_drop_all(const char *user)
{
	int rc = cut_bounding(NULL, 0);

	if (rc == 0 && user && *user)
		rc = become(user);
	return rc < 0 ? rc : keep_only(NULL, 0);
}

static struct passwd give_to; /* nftw takes no context; called before there are threads */

static int give_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return lchown(path, give_to.pw_uid, give_to.pw_gid) < 0 ? -errno : 0;
}

int priv_give_dir(const char *dir, const char *user)
{
	char mem[4096];
	int rc = find_user(user, &give_to, mem, sizeof(mem));

	if (rc < 0)
		return rc;
	rc = nftw(dir, give_one, 16, FTW_PHYS | FTW_MOUNT);
	return rc == -1 ? -errno : rc;
}
