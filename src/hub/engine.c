/* The coordination engine: what it is made of, its timers, and how it begins anew from the disk. */
#include "base/text/text.h"
#include "crypto/bcrypt/bcrypt.h"
#include "crypto/sha256/sha256.h"
#include "hub/auth/auth.h"
#include "hub/auth/tokens.h"
#include "hub/control/control.h"
#include "hub/internal.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"
#include "term/duration.h"

#include <stdio.h>

#define AUDIT_SWEEP_EVERY SEC(600)

static void on_tick(void *ctx)
{
	struct hub *h = ctx;

	if (h->failed)
		loop_stop(h->loop);
	else
		coord_tick(h->tailnet, loop_now(h->loop));
}

static const char *tags_of(const struct coord_node_doc *n, char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < n->tags.n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "",
			*JSON_AT(n->tags, const char *, i));
	return out;
}

static void on_event(const struct coord_event *e)
{
	static const char *const words[] = {
		[COORD_DEVICE_JOINED] = "device joined",
		[COORD_DEVICE_BACK] = "device is back",
		[COORD_DEVICE_APPROVED] = "device approved",
		[COORD_DEVICE_LEFT] = "device left",
		[COORD_DEVICE_QUARANTINED] = "device quarantined",
		[COORD_DEVICE_RELEASED] = "device released",
		[COORD_DEVICE_DUPLICATED] = "device runs twice",
		[COORD_DEVICE_SINGLE] = "device runs once again",
		[COORD_KEY_EXPIRED] = "key expired",
	};
	char ip[IPADDR_TEXT_MAX], tags[256], key[32] = "none";

	if (e->key)
		snprintf(key, sizeof(key), "%lld", (long long)e->key->id);
	log_info("hub", words[e->type], "id=%lld name=%s ip=%s owner=%s key=%s approved=%s",
		(long long)e->node->id, e->node->name, ipaddr_format(e->node->ip4, ip),
		e->owner ? e->owner->name : tags_of(e->node, tags, sizeof(tags)), key,
		e->node->unapproved ? "no" : "yes");
}

static void on_refusal(const char *what, const char *name, const char *why)
{
	log_warn_limited("hub", what, "device=%s why=%.*s", name, (int)strcspn(why, "\n"), why);
}

static int make_engine(struct hub *h, struct tailnet **ret, struct err_at *at)
{
	struct coord_cfg cfg = { .url = h->url_text,
		.base_domain = h->o->base_domain,
		.derp_map = &h->derp_map,
		.derp_map_unpinned = h->pin[0] ? &h->derp_map_unpinned : NULL,
		.from = control_from,
		.approve_devices = h->o->approve_devices,
		.on_event = on_event,
		.on_refusal = on_refusal,
		.on_key_out = admit_key_out,
		.on_key_out_ctx = h,
		.accept_rate = h->accept_rate,
		.key_life_ms = h->key_life_ms,
		.store = store_sqlite_store(h->store),
		.rng = loop_rng(),
		.ledger = h->ledger,
		.hash = sha256_hash,
		.bcrypt_holds = bcrypt_holds,
		.on_map_ready = control_map_ready,
		.on_map_end = control_map_end,
		.on_map_watch = control_map_watch,
		.on_answer = control_answer,
		.on_later = control_later,
		.on_map_ask = control_map_ask };
	int rc = coord_new(ret, &cfg, loop_now(h->loop), at);

	if (rc == -ERR_STORE) {
		struct store_sqlite_state s;

		store_sqlite_state(h->store, &s);
		err_at_set(at, 0, 0, "%.100s/hub.db cannot be read: %s; restore it from a backup",
			h->o->state_dir, s.why);
	}
	return rc;
}

/* The engine that was ends: what it says on its way out of devices that go is older than what is on the disk. */
static void replace_engine(struct hub *h, struct tailnet *fresh)
{
	store_sqlite_ignore(h->store, true);
	control_let_go(h);
	coord_free(h->tailnet);
	store_sqlite_ignore(h->store, false);
	h->tailnet = fresh;
	h->etag[0] = 0;
}

int hub_begin_anew(struct hub *h, struct err_at *at)
{
	struct tailnet *fresh = NULL;
	int rc;

	store_sqlite_forget(h->store);
	rc = make_engine(h, &fresh, at);
	if (rc == 0)
		rc = tokens_load(h, at);
	if (rc == 0)
		replace_engine(h, fresh);
	else
		coord_free(fresh);
	return rc;
}

static void sweep_audit(void *ctx)
{
	struct hub *h = ctx;

	audit_sweep(h->audit, loop_now(h->loop).wall);
	loop_timer_set(h->audit_timer, loop_now(h->loop).mono + AUDIT_SWEEP_EVERY);
}

static int open_audit(struct hub *h, struct err_at *at)
{
	int64_t keep;
	uint8_t seed[16];
	int rc = duration_parse_life(h->o->audit_keep, &keep);

	if (rc < 0) {
		err_at_set(at, 0, 0, "--audit-keep %s: write it as 90d, 400d or never",
			h->o->audit_keep);
		return rc;
	}
	rng_fill(loop_rng(), seed, sizeof(seed));
	rc = audit_new(&h->audit, store_sqlite_store(h->store), seed, keep);
	if (rc == 0)
		rc = loop_timer_new(h->loop, sweep_audit, h, &h->audit_timer);
	if (rc == 0)
		loop_timer_set(h->audit_timer, loop_now(h->loop).mono + SEC(1));
	return rc;
}

int hub_open_engine(struct hub *h, struct err_at *at)
{
	const struct coord_user *u;
	uint64_t rate;
	int rc = text_u64(h->o->accept_rate, strlen(h->o->accept_rate), HUB_ACCEPT_RATE_MAX, &rate);

	if (rc < 0) {
		err_at_set(at, 0, 0, "--accept-rate %s: a number, at most %d", h->o->accept_rate,
			HUB_ACCEPT_RATE_MAX);
		return rc;
	}
	h->accept_rate = (int)rate;
	rc = duration_parse_life(h->o->key_expiry, &h->key_life_ms);
	if (rc < 0) {
		err_at_set(at, 0, 0, "--key-expiry %s: write it as 12h, 180d or never",
			h->o->key_expiry);
		return rc;
	}
	rc = open_audit(h, at);
	if (rc == 0)
		rc = make_engine(h, &h->tailnet, at);
	if (rc == 0 && !coord_user_next(h->tailnet, NULL)) {
		rc = coord_user_create(h->tailnet, h->o->owner, loop_now(h->loop), &u);
		if (rc == 0)
			rc = coord_turn_end(h->tailnet, loop_now(h->loop));
		if (rc < 0)
			err_at_set(at, 0, 0, "cannot make the first user \"%s\": %s", h->o->owner,
				err_text(rc));
	}
	if (rc == 0)
		rc = loop_timer_new(h->loop, on_tick, h, &h->timer);
	if (rc == 0)
		rc = loop_timer_new(h->loop, control_on_idle_tick, h, &h->idle_timer);
	if (rc == 0)
		rc = loop_timer_new(h->loop, control_on_ask_tick, h, &h->ask_timer);
	if (rc == 0)
		rc = loop_timer_new(h->loop, control_on_check_tick, h, &h->check_timer);
	return rc;
}
