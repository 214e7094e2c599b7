/*
 * What this device keeps on disk, written beside the loop: packets don't wait for a disk. Programs that changed something over the
 * LocalAPI are answered when it is on the disk (lapi_saved), or after a while; the health of this device says what is wrong.
 */
#include "daemon/internal.h"
#include "os/file/file.h"
#include "os/log/log.h"

static void save_failed(struct daemon *n, int rc)
{
	n->saves_failed++;
	log_error("state",
		"cannot be kept: after a restart this device will not know what happened since",
		"path=%s err=%s", n->o->state_path, err_text(rc));
}

static void trouble(struct daemon *n, bool on)
{
	if (n->node)
		daemon_trouble(n, NODE_TROUBLE_STATE, on);
}

/* Nothing waits any more. */
static void all_saved(struct daemon *n)
{
	loop_timer_set(n->save_timer, MONO_NEVER);
	n->saving = false;
	if (n->lapi)
		lapi_saved(n->lapi);
}

static void state_written(struct daemon *n, int rc)
{
	if (rc < 0) {
		state_failed(n->state);
		save_failed(n, rc);
	}
	trouble(n, rc < 0);
	if (!filequeue_has(n->files, n->o->state_path))
		all_saved(n);
}

static void on_written(void *ctx, const char *path, int rc)
{
	struct daemon *n = ctx;

	if (!strcmp(path, n->o->state_path)) {
		state_written(n, rc);
	} else if (rc < 0) {
		n->saves_failed++;
		log_warn("map", "the map cannot be kept", "path=%s err=%s", path, err_text(rc));
	}
}

static void on_patience(void *ctx)
{
	struct daemon *n = ctx;

	log_warn("state", "the disk has not taken what changed; it is tried on",
		"path=%s seconds=%d", n->o->state_path, (int)(DAEMON_SAVE_PATIENCE / SEC(1)));
	trouble(n, true);
}

int files_open(struct daemon *n)
{
	int rc = filequeue_new(&n->files, n->loop, on_written, n);

	return rc < 0 ? rc : loop_timer_new(n->loop, on_patience, n, &n->save_timer);
}

void files_save_state(struct daemon *n, int rc)
{
	struct buf text;

	buf_init_secret(&text, STATE_MAX);
	if (rc == 0)
		rc = state_text(n->state, &text);
	if (rc == 0) {
		rc = filequeue_write(n->files, n->o->state_path, &text, 0600);
		if (rc == 0 && !n->saving)
			loop_timer_set(n->save_timer,
				mono_add(loop_now(n->loop).mono, DAEMON_SAVE_PATIENCE));
		n->saving = true;
	} else if (rc == STATE_UNCHANGED && !filequeue_has(n->files, n->o->state_path)) {
		trouble(n, false);
		all_saved(n);
	}
	buf_fini(&text);
	if (rc >= 0)
		return;
	state_failed(n->state);
	trouble(n, true);
	save_failed(n, rc);
	all_saved(n);
}

/* What daemon_save is called for, at the end of the turn. */
static const unsigned saves =
	1u << NODE_SELF | 1u << NODE_KEYS | 1u << NODE_PREFS | 1u << NODE_MOVED | 1u << NODE_NETMAP;

bool files_unsaved(void *backend)
{
	const struct daemon *n = backend;

	return n->save || (n->node && node_event_waits(n->node, saves)) ||
	       filequeue_has(n->files, n->o->state_path);
}

void files_close(struct daemon *n)
{
	n->files = filequeue_free(n->files);
	n->save_timer = loop_timer_free(n->save_timer);
}
