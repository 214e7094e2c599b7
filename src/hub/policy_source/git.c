/*
 * A pull is a chain of short runs of git, each bounded in time and output, none through a shell:
 *	init (once) -> fetch -> log (which commit, whose) -> cat-file (the text) -> policy_source_set
 * It stays in git_step until the next interval. Names from options are judged at start, so that
 *none is taken for a flag.
 */
#include "hub/policy_source/internal.h"
#include "hub/policy_source/policy.h"
#include "os/log/log.h"
#include "os/spawn/spawn.h"
#include "store/sqlite/sqlite.h"
#include "term/duration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char ref[] = "refs/warren/head";

/* A pull */

static void run(struct git *g, enum step step);

static void wait_for_next(struct git *g)
{
	g->step = STEP_IDLE;
	loop_timer_set(g->timer, g->again ? loop_now(g->hub->loop).mono
					  : mono_add(loop_now(g->hub->loop).mono, g->interval));
	g->again = false;
}

/* Said once for each commit and reason, not every minute. */
static void settle(struct git *g, enum git_state state, const char *reason)
{
	bool news = state != g->state || strcmp(reason, g->reason) != 0 ||
		    strcmp(g->judged, g->commit) != 0;

	g->state = state;
	snprintf(g->reason, sizeof(g->reason), "%s", reason);
	if (state != GIT_UNREACHABLE)
		memcpy(g->judged, g->commit, sizeof(g->judged));
	if (news && state == GIT_APPLIED)
		log_info("git", "the head of the policy's repository is in force",
			"commit=%.12s by=\"%s\" what=\"%s\"", g->commit, g->author, g->subject);
	else if (news && state == GIT_OVERRIDDEN)
		log_warn("git",
			"another policy than the repository's was forced, and stays until its head moves",
			"commit=%.12s", g->commit);
	else if (news && state == GIT_REFUSED)
		log_warn("git",
			"the head of the policy's repository is refused; the policy before stays in force",
			"commit=%.12s by=\"%s\" why=\"%s\"", g->commit, g->author, reason);
	else if (news)
		log_warn("git", "cannot read the policy's repository", "url=%s why=\"%s\"",
			g->shown, reason);
	g->n.failures += state == GIT_UNREACHABLE;
	wait_for_next(g);
}

/* Was this commit set before, and something else by hand since? Known by the authors of the kept
 * versions: also after a restart. */
static bool was_overridden(const struct git *g)
{
	const struct coord_policy_version *v = NULL;

	while ((v = coord_policy_next(g->hub->tailnet, v)))
		if (!strncmp(v->author, "git ", 4) &&
			!strncmp(v->author + 4, g->commit, COMMIT_SHOWN))
			return true;
	return false;
}

static void take_text(struct git *g, struct view text)
{
	struct hub *h = g->hub;
	char author[256], why[512];
	struct policy_fault *f;
	struct arena mem;
	int rc;

	g->rejudge = false;
	if (coord_policy_current(h->tailnet) && view_eq(text, policy_source_text(h))) {
		settle(g, GIT_APPLIED, "");
		return;
	}
	if ((!g->judged[0] || !strcmp(g->judged, g->commit)) && was_overridden(g)) {
		settle(g, GIT_OVERRIDDEN, "");
		return;
	}
	arena_init(&mem, 1 << 20);
	f = arena_new(&mem, struct policy_fault);
	snprintf(author, sizeof(author), "git %.*s %s", COMMIT_SHOWN, g->commit, g->author);
	rc = -ENOMEM;
	if (f) {
		f->mem = &mem;
		audit_begin(h->audit);
		rc = policy_source_set(h, text, author, POLICY_BY_GIT, COORD_POLICY_ANY_VERSION, f);
		hold_record(
			h, &(struct audit_entry){ .by = author, .via = "git", .action = "policy" });
	}
	settle(g, rc == 0 ? GIT_APPLIED : GIT_REFUSED,
		rc == 0 ? ""
		: f     ? policy_fault_text(rc, f, why, sizeof(why))
			: err_text(rc));
	arena_fini(&mem);
}

static void copy_line(struct view *rest, char *out, size_t size)
{
	const uint8_t *lf = memchr(rest->p, '\n', rest->len);
	size_t n = lf ? (size_t)(lf - rest->p) : rest->len, skip = lf ? n + 1 : n;

	n = MIN_OF(n, size - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = rest->p[i] < 0x20 || rest->p[i] == 0x7f ? '?' : (char)rest->p[i];
	out[n] = 0;
	*rest = view_of(rest->p + skip, rest->len - skip);
}

/* "COMMIT\nAUTHOR\nSUBJECT\n" */
static void take_head(struct git *g, struct view out)
{
	copy_line(&out, g->commit, sizeof(g->commit));
	copy_line(&out, g->author, sizeof(g->author));
	copy_line(&out, g->subject, sizeof(g->subject));
	g->pulled = loop_now(g->hub->loop).wall;
	if (g->state == GIT_REFUSED && !strcmp(g->commit, g->judged) && !g->rejudge)
		wait_for_next(g);
	else
		run(g, STEP_TEXT); /* the same head, too: has somebody forced another policy
				      meanwhile? */
}

static const char *complaint(int rc, int status, struct view err, char *out, size_t size)
{
	struct view last = err;

	if (rc < 0) {
		snprintf(out, size, "git: %s",
			rc == -ETIMEDOUT ? "it took longer than a minute" : err_text(rc));
		return out;
	}
	while (last.len && last.p[last.len - 1] == '\n')
		last.len--;
	for (const uint8_t *lf; (lf = memchr(last.p, '\n', last.len));
		last = view_of(lf + 1, (size_t)(last.p + last.len - lf - 1)))
		if (lf - last.p > 6 &&
			(!memcmp(last.p, "fatal:", 6) || !memcmp(last.p, "error:", 6)))
			break;
	/* The program that keeps what is fetched ended early: by SIGXFSZ, if nothing else is wrong with the disk. */
	if (memmem(err.p, err.len, "invalid index-pack output", 25)) {
		snprintf(out, size,
			"what git fetched could not be kept: it is larger than %d MiB, or the disk is full",
			GIT_FILE_MAX >> 20);
		return out;
	}
	snprintf(out, size, "git ended with status %d: ", status);
	copy_line(&last, out + strlen(out), size - strlen(out));
	return out;
}

static void on_end(void *ctx, int rc, int status, struct view out, struct view err)
{
	struct git *g = ctx;
	char why[400], text[512];

	g->running = NULL;
	if (rc < 0 || status != 0) {
		complaint(rc, status, err, why, sizeof(why));
		if (g->step == STEP_TEXT && rc == 0)
			snprintf(text, sizeof(text), "there is no file %.200s in it (%.200s)",
				g->hub->o->policy_git_path, why);
		else
			snprintf(text, sizeof(text), "%s",
				g->step == STEP_TEXT && rc == -ERR_TOO_BIG
					? "the file is larger than 2 MiB"
					: why);
		settle(g, g->step == STEP_TEXT ? GIT_REFUSED : GIT_UNREACHABLE, text);
		return;
	}
	switch (g->step) {
	case STEP_INIT:
		run(g, STEP_FETCH);
		break;
	case STEP_FETCH:
		run(g, STEP_HEAD);
		break;
	case STEP_HEAD:
		take_head(g, out);
		break;
	case STEP_TEXT:
		take_text(g, out);
		break;
	case STEP_IDLE:
		break;
	}
}

/* The words of a run. Automatic housekeeping stays in the foreground, so that it is bounded, too.
 */
static void make_argv(const struct git *g, enum step step, const char *argv[static ARGS_MAX])
{
	const char *const init[] = { "git", "init", "--quiet", "--bare", g->dir, NULL };
	/* What comes stays one file, and large objects in it are not read into memory. */
	const char *const fetch[] = { "git", "-C", g->dir, "-c", "gc.autoDetach=false", "-c",
		"fetch.unpackLimit=1", "-c", "core.bigFileThreshold=1m", "-c",
		"core.hooksPath=/dev/null", "fetch", "--quiet", "--no-tags", "--depth=1",
		"--no-recurse-submodules", "--force", "--", g->hub->o->policy_git, g->refspec,
		NULL };
	const char *const head[] = { "git", "-C", g->dir, "log", "-1", "--no-show-signature",
		"--format=%H%n%an%n%s", ref, "--", NULL };
	const char *const text[] = { "git", "-C", g->dir, "cat-file", "blob", g->blob, NULL };
	const char *const *from = step == STEP_INIT    ? init
				  : step == STEP_FETCH ? fetch
				  : step == STEP_HEAD  ? head
						       : text;
	size_t n = 0;

	do
		argv[n] = from[n];
	while (from[n++]);
}

static void run(struct git *g, enum step step)
{
	const char *argv[ARGS_MAX];
	struct spawn_cfg cfg = { .loop = g->hub->loop,
		.argv = argv,
		.env = (const char *const *)g->env,
		.out_max = step == STEP_TEXT ? COORD_POLICY_TEXT_MAX : HEAD_OUT_MAX,
		.timeout = RUN_TIME,
		.file_max = step == STEP_INIT ? 0 : GIT_FILE_MAX,
		.mem_max = step == STEP_INIT ? 0 : GIT_MEM_MAX,
		.on_end = on_end,
		.ctx = g };
	char why[200];
	int rc;

	g->step = step;
	make_argv(g, step, argv);
	rc = spawn_new(&g->running, &cfg);
	if (rc == 0)
		return;
	g->running = NULL;
	snprintf(why, sizeof(why), "cannot run git: %s",
		rc == -ENOENT ? "it is not installed" : err_text(rc));
	settle(g, GIT_UNREACHABLE, why);
}

static bool has_file(const struct git *g, const char *name)
{
	char path[NAME_MAX_LEN + 64];

	snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	return access(path, F_OK) == 0;
}

/* A git that was killed, with the hub or after its minute, leaves locks behind. Nobody else works
 * in this directory. */
static void remove_locks(const struct git *g)
{
	static const char *const locks[] = { "shallow.lock", "packed-refs.lock", "HEAD.lock",
		"config.lock", "refs/warren/head.lock", "gc.pid" };
	char path[NAME_MAX_LEN + 64];

	for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
		snprintf(path, sizeof(path), "%s/%s", g->dir, locks[i]);
		unlink(path);
	}
}

static void on_tick(void *ctx)
{
	struct git *g = ctx;

	if (coord_store_refusal(store_sqlite_store(g->hub->store))) {
		wait_for_next(g); /* it could not be kept, and git writes to the same disk */
		return;
	}
	g->n.pulls++;
	remove_locks(g);
	git_keep_quota(g);
	run(g, has_file(g, "HEAD") ? STEP_FETCH : STEP_INIT);
}

void git_pull(struct hub *h)
{
	struct git *g = h->git;

	g->rejudge = true;
	g->again = g->step != STEP_IDLE;
	if (!g->again)
		loop_timer_set(g->timer, loop_now(h->loop).mono);
}

void git_status(const struct hub *h, struct git_status *ret)
{
	const struct git *g = h->git;

	*ret = (struct git_status){ .state = g->state,
		.url = g->shown,
		.branch = h->o->policy_git_branch,
		.path = h->o->policy_git_path,
		.commit = g->commit,
		.author = g->author,
		.subject = g->subject,
		.reason = g->reason,
		.pulled = g->pulled };
}

const struct git_counters *git_counters(const struct hub *h)
{
	return &h->git->n;
}

int git_new(struct hub *h, struct err_at *at)
{
	const struct hub_options *o = h->o;
	unix_ms interval;
	struct git *g;
	int rc;

	if (!o->policy_git)
		return 0;
	rc = git_check_options(o, at);
	if (rc == 0 && (duration_parse_life(o->policy_git_interval, &interval) < 0 || !interval)) {
		err_at_set(at, 0, 0, "--policy-git-interval %s: write it as 60s or 5m",
			o->policy_git_interval);
		rc = -ERR_BAD_VALUE;
	}
	g = rc == 0 ? calloc(1, sizeof(*g)) : NULL;
	if (!g)
		return rc < 0 ? rc : -ENOMEM;
	h->git = g;
	g->hub = h;
	g->interval = MSEC(interval);
	rc = git_read_secret(g, o->policy_git_secret_file, at);
	if (rc == 0)
		rc = git_make_env(g, o);
	if (rc == 0 && snprintf(g->dir, sizeof(g->dir), "%s/policy-git", o->state_dir) >=
			       (int)sizeof(g->dir))
		rc = -ENAMETOOLONG;
	git_hide_password(o->policy_git, g->shown);
	snprintf(g->refspec, sizeof(g->refspec), "+refs/heads/%s:%s", o->policy_git_branch, ref);
	snprintf(g->blob, sizeof(g->blob), "%s:%s", ref, o->policy_git_path);
	if (rc == 0)
		rc = loop_timer_new(h->loop, on_tick, g, &g->timer);
	if (rc == 0)
		loop_timer_set(g->timer, loop_now(h->loop).mono);
	return rc;
}

void git_reload(struct hub *h)
{
	struct err_at at = { 0 };

	if (h->git && git_read_secret(h->git, h->o->policy_git_secret_file, &at) < 0)
		log_error("git",
			"the webhook's secret cannot be read anew; the one of before stays",
			"why=%s", at.text);
}

void git_free(struct hub *h)
{
	struct git *g = h->git;

	if (!g)
		return;
	spawn_free(g->running);
	if (g->timer)
		loop_timer_free(g->timer);
	for (size_t i = 0; g->env[i]; i++)
		free(g->env[i]);
	buf_fini(&g->secret);
	free(g);
	h->git = NULL;
}
