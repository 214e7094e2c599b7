/*
 * What this device keeps on disk, written beside the loop: packets don't wait for a disk. Programs that changed something over the
 * LocalAPI are answered when it is on the disk (keeper_take_saved), or after a while; the health of this device says what is wrong.
 */
#include "daemon/state/internal.h"
#include "os/file/file.h"
#include "os/log/log.h"

#define SAVE_TIMEOUT SEC(5) /* a disk that takes longer is told as a fault */

static void save_failed(struct keeper *k, int rc)
{
	k->saves_failed++;
	log_error("state",
		"cannot be kept: after a restart this device will not know what happened since",
		"path=%s err=%s", k->cfg.state_path, err_text(rc));
}

/* Nothing waits any more. */
static void all_saved(struct keeper *k)
{
	loop_timer_set(k->save_timer, MONO_NEVER);
	k->saving = false;
	k->saved_now = true;
}

static void state_written(struct keeper *k, int rc)
{
	if (rc < 0) {
		state_failed(k->state);
		save_failed(k, rc);
	}
	engine_set_os_fault(k->e, NODE_FAULT_STATE, rc < 0);
	if (!filequeue_has(k->files, k->cfg.state_path))
		all_saved(k);
}

static void on_written(void *ctx, const char *path, int rc)
{
	struct keeper *k = ctx;

	if (!strcmp(path, k->cfg.state_path)) {
		state_written(k, rc);
	} else if (rc < 0) {
		k->saves_failed++;
		log_warn("map", "the map cannot be kept", "path=%s err=%s", path, err_text(rc));
	}
}

static void on_save_timeout(void *ctx)
{
	struct keeper *k = ctx;

	log_warn("state", "the disk has not taken what changed; it is tried on",
		"path=%s seconds=%d", k->cfg.state_path, (int)(SAVE_TIMEOUT / SEC(1)));
	engine_set_os_fault(k->e, NODE_FAULT_STATE, true);
}

int files_open(struct keeper *k)
{
	int rc = filequeue_new(&k->files, k->e->loop, on_written, k);

	return rc < 0 ? rc : loop_timer_new(k->e->loop, on_save_timeout, k, &k->save_timer);
}

void files_save_state(struct keeper *k, int rc)
{
	struct buf text;

	buf_init_secret(&text, STATE_MAX);
	if (rc == 0)
		rc = state_text(k->state, &text);
	if (rc == 0) {
		rc = filequeue_write(k->files, k->cfg.state_path, &text, 0600);
		if (rc == 0 && !k->saving)
			loop_timer_set(
				k->save_timer, mono_add(engine_now(k->e).mono, SAVE_TIMEOUT));
		k->saving = true;
	} else if (rc == STATE_UNCHANGED && !filequeue_has(k->files, k->cfg.state_path)) {
		engine_set_os_fault(k->e, NODE_FAULT_STATE, false);
		all_saved(k);
	}
	buf_fini(&text);
	if (rc >= 0)
		return;
	state_failed(k->state);
	engine_set_os_fault(k->e, NODE_FAULT_STATE, true);
	save_failed(k, rc);
	all_saved(k);
}
