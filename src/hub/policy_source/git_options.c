/* What the options say, judged at start: so that no name is taken for a flag, and no protocol used
 * that was not meant. */
#include "hub/policy_source/internal.h"
#include "os/file/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_plain(const char *s, const char *also)
{
	for (const char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			    (*p >= '0' && *p <= '9') || strchr(also, *p)))
			return false;
	return *s && *s != '-' && strlen(s) < NAME_MAX_LEN / 2;
}

static bool is_url(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((uint8_t)*p <= 0x20 || *p == 0x7f)
			return false;
	return *s && *s != '-' && !strstr(s, "::") && strlen(s) < NAME_MAX_LEN / 2;
}

/* https://user:password@host/path */
void git_hide_password(const char *url, char out[static NAME_MAX_LEN])
{
	const char *user = strstr(url, "://"), *slash = user ? strchr(user + 3, '/') : NULL,
		   *colon = user ? strchr(user + 3, ':') : NULL;
	const char *at = slash ? memrchr(url, '@', (size_t)(slash - url)) : strrchr(url, '@');

	if (user && at && colon && colon < at)
		snprintf(out, NAME_MAX_LEN, "%.*s:***%s", (int)(colon - url), url, at);
	else
		snprintf(out, NAME_MAX_LEN, "%s", url);
}

int git_check_options(const struct hub_options *o, struct err_at *at)
{
	if (!is_url(o->policy_git))
		err_at_set(at, 0, 0,
			"--policy-git %s: write it as https://HOST/REPOSITORY or ssh://USER@HOST/REPOSITORY",
			o->policy_git);
	else if (!is_plain(o->policy_git_branch, "._/-") || strstr(o->policy_git_branch, ".."))
		err_at_set(at, 0, 0, "--policy-git-branch %s is not the name of a branch",
			o->policy_git_branch);
	else if (!is_plain(o->policy_git_path, "._/-+ ") || o->policy_git_path[0] == '/' ||
		 strstr(o->policy_git_path, ".."))
		err_at_set(at, 0, 0, "--policy-git-path %s is not a path inside the repository",
			o->policy_git_path);
	else if (!is_plain(o->policy_git_protocols, ":"))
		err_at_set(at, 0, 0, "--policy-git-protocols %s: write it as https:ssh",
			o->policy_git_protocols);
	else
		return 0;
	return -ERR_BAD_VALUE;
}

static int add_env(struct git *g, const char *name, const char *value)
{
	size_t n = 0;

	while (g->env[n])
		n++;
	if (n == ENV_MAX)
		return -ERR_TOO_MANY;
	return asprintf(&g->env[n], "%s=%s", name, value) < 0 ? -ENOMEM : 0;
}

/* Nothing of the hub's own environment but where programs are; git's settings come from the state
 * directory and /etc. */
int git_make_env(struct git *g, const struct hub_options *o)
{
	const char *path = getenv("PATH");
	int rc = add_env(g, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");

	if (rc == 0)
		rc = add_env(g, "HOME", o->state_dir);
	if (rc == 0)
		rc = add_env(g, "LC_ALL", "C");
	if (rc == 0)
		rc = add_env(g, "GIT_TERMINAL_PROMPT", "0");
	if (rc == 0)
		rc = add_env(g, "GIT_ALLOW_PROTOCOL", o->policy_git_protocols);
	if (rc == 0 && o->policy_git_ssh)
		rc = add_env(g, "GIT_SSH_COMMAND", o->policy_git_ssh);
	return rc;
}

int git_read_secret(struct git *g, const char *path, struct err_at *at)
{
	struct buf b;
	int rc;

	if (!path)
		return 0;
	buf_init_secret(&b, SECRET_MAX);
	rc = file_read(path, &b);
	while (rc == 0 && buf_len(&b) && strchr("\r\n", buf_data(&b)[buf_len(&b) - 1]))
		buf_truncate(&b, buf_len(&b) - 1);
	if (rc < 0) {
		struct err_at why;

		buf_fini(&b);
		rc = file_explain(path, rc, &why);
		err_at_set(at, 0, 0, "--policy-git-secret-file %.300s", why.text);
		return rc;
	}
	if (!buf_len(&b)) {
		buf_fini(&b);
		err_at_set(at, 0, 0, "--policy-git-secret-file %s: it is empty", path);
		return -ERR_TRUNCATED;
	}
	buf_fini(&g->secret);
	g->secret = b;
	return 0;
}
