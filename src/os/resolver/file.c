/*
 * The manager of last resort: /etc/resolv.conf itself, and restraint toward others who write it. NetworkManager is not to be fought with: the file
 * becomes a link, which it leaves alone, and what it says in its own file is followed.
 *
 *	nobody has touched it -- somebody rewrites it: his content is the base, ours again --> once -- and again --> YIELDED
 *	        ^------------------- RESOLVER_QUIET without another time ---------------------'
 */
#include "os/resolver/internal.h"

static void on_changed(void *ctx);

static void watch(struct resolver *r)
{
	const char *path[] = { r->etc.file, r->etc.networkmanager };
	size_t n = r->manager == RESOLVER_NETWORKMANAGER ? 2 : 1;

	/* Without it, nobody's rewriting is noticed before the next change; nothing else depends on it. */
	if (!r->watch && filewatch_new(&r->watch, r->cfg.loop, path, n, on_changed, r) < 0)
		r->watch = NULL;
}

/* The options of the C library are the administrator's. */
static int make_text(struct resolver *r, struct buf *out)
{
	struct resolvconf before;
	struct buf b;
	int rc;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	if (etc_look(&r->etc, &b) != ETC_OTHER) {
		buf_clear(&b);
		if (etc_read_backup(&r->etc, &b) < 0)
			buf_clear(&b);
	}
	resolvconf_parse(buf_view(&b), &before);
	rc = resolvconf_format(&r->want, &before, ETC_BACKUP, out);
	buf_fini(&b);
	return rc;
}

static bool says(const struct resolver *r, struct view text)
{
	struct buf b;
	bool same;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	same = etc_look(&r->etc, &b) == ETC_OURS && view_eq(buf_view(&b), text);
	buf_fini(&b);
	return same;
}

static int put(struct resolver *r)
{
	struct view text = buf_view(&r->text);

	return r->manager == RESOLVER_NETWORKMANAGER ? etc_put_link(&r->etc, text)
						     : etc_put(&r->etc, text);
}

static int write_ours(struct resolver *r)
{
	int rc;

	resolver_select(r); /* with the search domains of whoever has written it since */
	buf_clear(&r->text);
	rc = make_text(r, &r->text);
	if (rc == 0 && !says(r, buf_view(&r->text)))
		rc = put(r);
	if (rc == 0 && r->watch)
		filewatch_seen(r->watch);
	return rc;
}

static void forget(struct resolver *r)
{
	r->watch = filewatch_free(r->watch);
}

static bool sync_file(struct resolver *r, struct resolver_result *ret)
{
	int rc;

	if (os_dns_config_is_empty(&r->want)) {
		forget(r);
		rc = etc_undo(&r->etc);
	} else if (r->state == RESOLVER_YIELDED) {
		*ret = (struct resolver_result){ RESOLVER_YIELDED, 0 };
		return true;
	} else {
		rc = write_ours(r);
		watch(r);
	}
	*ret = (struct resolver_result){ rc < 0 ? RESOLVER_FAILED : RESOLVER_SET, rc };
	return true;
}

static void note_other(struct resolver *r)
{
	mono_ns now = loop_now(r->cfg.loop).mono;
	struct buf b;

	if (r->overwritten && now - r->overwritten_at > RESOLVER_QUIET)
		r->overwritten = 0;
	r->overwritten++;
	r->overwritten_at = now;
	buf_init(&b, RESOLVCONF_TEXT_MAX);
	r->other = etc_look(&r->etc, &b) == ETC_OTHER ? resolvconf_owner(buf_view(&b))
						      : RESOLVCONF_NOBODY;
	buf_fini(&b);
}

static void on_changed(void *ctx)
{
	struct resolver *r = ctx;
	int rc;

	if (r->state == RESOLVER_YIELDED) {
		resolver_done(r, RESOLVER_YIELDED, 0);
		return;
	}
	if (!says(r, buf_view(&r->text)))
		note_other(r);
	else if (r->manager != RESOLVER_NETWORKMANAGER)
		return;
	/* Else it may be NetworkManager that says something new in its own file. */
	if (r->overwritten > 1 && !says(r, buf_view(&r->text))) {
		/* The backup stays: if it is our text that he has changed, only the backup is right. */
		resolver_done(r, RESOLVER_YIELDED, 0);
		return;
	}
	rc = write_ours(r);
	resolver_done(r, rc < 0 ? RESOLVER_FAILED : RESOLVER_SET, rc);
}

const struct resolver_ops resolver_file_ops = { .sync = sync_file, .forget = forget };
