/*
 * systemd-resolved: servers and domains of our link, over D-Bus. It asks the server of the link with the longest matching domain, so it is the one
 * manager that can send us the tailnet's names only. It forgets a link that goes away: there is nothing to undo after a crash.
 */
#include "base/text/text.h"
#include "os/log/log.h"
#include "os/resolver/internal.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

static const char service[] = "org.freedesktop.resolve1";

static void begin_call(
	struct resolver *r, struct dbus_out *o, const char *member, const char *signature)
{
	const struct dbus_method m = { service, "/org/freedesktop/resolve1",
		"org.freedesktop.resolve1.Manager", member, signature };

	dbus_begin(r->bus, o, &m);
}

static void end_call(struct resolver *r, struct dbus_out *o, dbus_fn fn)
{
	int rc = dbus_end(r->bus, o, fn);

	if (rc == 0)
		r->calls++;
	else if (r->calls_rc == 0)
		r->calls_rc = rc;
}

/* ---- answers ---- */

static void call_ended(struct resolver *r)
{
	int rc = r->calls_rc;

	if (--r->calls)
		return;
	resolver_done(r, rc < 0 ? RESOLVER_FAILED : RESOLVER_SET, rc);
}

static void on_answer(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	struct resolver *r = ctx;

	if (rc < 0 && r->calls_rc == 0) {
		r->calls_rc = rc;
		log_warn("dns", "systemd-resolved refuses our settings", "err=%s says=%.*s",
			err_text(rc), h ? (int)h->error.len : 0, h ? (const char *)h->error.p : "");
	}
	call_ended(r);
}

/* Of a setting that older versions do not know, and of a link that may be gone already. */
static void on_any_answer(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	call_ended(ctx);
}

/* ---- the settings ---- */

static void put_servers(struct resolver *r, unsigned link)
{
	struct dbus_array list, bytes;
	struct dbus_out o;

	begin_call(r, &o, "SetLinkDNS", "ia(iay)");
	dbus_put_u32(&o, link);
	list = dbus_put_array(&o, 8);
	for (size_t i = 0; i < r->want.n_servers; i++) {
		struct ipaddr a = r->want.server[i];

		dbus_put_align(&o, 8);
		dbus_put_u32(&o, a.family == 4 ? AF_INET : AF_INET6);
		bytes = dbus_put_array(&o, 1);
		dbus_put_raw(&o, view_of(a.b, a.family == 4 ? 4 : 16));
		dbus_put_array_end(&o, bytes);
	}
	dbus_put_array_end(&o, list);
	end_call(r, &o, on_answer);
}

static void put_domain(struct dbus_out *o, const char *name, bool only_route)
{
	dbus_put_align(o, 8);
	dbus_put_text(o, view_of(name, strlen(name)));
	dbus_put_bool(o, only_route);
}

static bool is_reverse(const char *name)
{
	size_t n = strlen(name);

	return n >= 5 && text_ieq(name + n - 5, 5, ".arpa", 5);
}

static void on_domains(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body);

static bool is_searched(const struct os_dns_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_search; i++)
		if (text_ieq(name, strlen(name), c->search[i], strlen(c->search[i])))
			return true;
	return false;
}

/* A domain that is searched is routed, too; named twice, it would not be searched any more. */
static bool only_routes(const struct os_dns_config *c, const char *name, bool reverse)
{
	return !is_searched(c, name) && (reverse || !is_reverse(name));
}

/* reverse: the reverse zones, too; they are many, and a link of older versions has room for few. */
static void put_domains(struct resolver *r, unsigned link, bool reverse, dbus_fn fn)
{
	struct dbus_array list;
	struct dbus_out o;

	begin_call(r, &o, "SetLinkDomains", "ia(sb)");
	dbus_put_u32(&o, link);
	list = dbus_put_array(&o, 8);
	for (size_t i = 0; i < r->want.n_search; i++)
		put_domain(&o, r->want.search[i], false);
	for (size_t i = 0; i < r->want.n_match; i++)
		if (only_routes(&r->want, r->want.match[i], reverse))
			put_domain(&o, r->want.match[i], true);
	if (!r->want.n_match && r->want.n_servers)
		put_domain(&o, ".", true);
	dbus_put_array_end(&o, list);
	end_call(r, &o, fn);
}

static void on_domains(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	struct resolver *r = ctx;
	unsigned link = if_nametoindex(r->interface);

	if (rc == -ERR_PEER && r->want.n_match && link) {
		put_domains(r, link, false, on_answer);
		call_ended(r);
		return;
	}
	on_answer(ctx, rc, h, body);
}

static void put_bool(struct resolver *r, const char *member, unsigned link, bool v)
{
	struct dbus_out o;

	begin_call(r, &o, member, "ib");
	dbus_put_u32(&o, link);
	dbus_put_bool(&o, v);
	end_call(r, &o, on_any_answer);
}

static void put_no(struct resolver *r, const char *member, unsigned link)
{
	struct dbus_out o;

	begin_call(r, &o, member, "is");
	dbus_put_u32(&o, link);
	dbus_put_text(&o, VIEW_LIT("no"));
	end_call(r, &o, on_any_answer);
}

static void flush_caches(struct resolver *r)
{
	struct dbus_out o;

	begin_call(r, &o, "FlushCaches", "");
	end_call(r, &o, on_any_answer);
}

static void revert(struct resolver *r, unsigned link)
{
	struct dbus_out o;

	begin_call(r, &o, "RevertLink", "i");
	dbus_put_u32(&o, link);
	end_call(r, &o, on_any_answer);
	flush_caches(r);
}

/* Between us and the other side is a tunnel: what protects questions on a LAN would only break them here. */
static void set(struct resolver *r, unsigned link)
{
	put_servers(r, link);
	put_domains(r, link, true, on_domains);
	put_bool(r, "SetLinkDefaultRoute", link, !r->want.n_match && r->want.n_servers);
	put_no(r, "SetLinkLLMNR", link);
	put_no(r, "SetLinkMulticastDNS", link);
	put_no(r, "SetLinkDNSSEC", link);
	put_no(r, "SetLinkDNSOverTLS", link);
	flush_caches(r);
}

static bool sync_resolved(struct resolver *r, struct resolver_result *ret)
{
	bool gone = os_dns_config_is_empty(&r->want);
	unsigned link = if_nametoindex(r->interface);
	int rc = resolver_open_bus(r);

	r->calls = 0;
	r->calls_rc = 0;
	if (rc == 0 && link) {
		if (gone)
			revert(r, link);
		else
			set(r, link);
		rc = r->calls ? 0 : r->calls_rc;
	} else if (rc == 0) {
		rc = gone ? 0 : -ENODEV;
	}
	*ret = (struct resolver_result){ rc < 0 && !gone ? RESOLVER_FAILED : RESOLVER_SET,
		gone ? 0 : rc };
	return !r->calls;
}

/* ---- the bus ---- */

/* It has started anew and knows nothing of us: NameOwnerChanged(name, old owner, new owner). */
static void on_signal(void *ctx, const struct dbus_head *h, struct dbus_in *body)
{
	struct resolver *r = ctx;
	struct view name, owner;

	if (!view_eq(h->member, VIEW_LIT("NameOwnerChanged")))
		return;
	name = dbus_get_text(body);
	(void)dbus_get_text(body);
	owner = dbus_get_text(body);
	if (!body->bad && view_eq(name, view_of(service, sizeof(service) - 1)) && owner.len)
		resolver_once_more(r);
}

static void on_lost(void *ctx, int rc)
{
	struct resolver *r = ctx;

	r->bus = dbus_close(r->bus);
	if (r->manager == RESOLVER_RESOLVED && !r->busy && !r->looking)
		resolver_done(r, RESOLVER_FAILED, rc);
}

int resolver_open_bus(struct resolver *r)
{
	char path[ETC_PATH_MAX];
	const struct dbus_cfg cfg = { .loop = r->cfg.loop,
		.socket = path,
		.on_signal = on_signal,
		.on_lost = on_lost,
		.ctx = r };
	int rc;

	if (r->bus)
		return 0;
	if (snprintf(path, sizeof(path), "%s%s", r->root, DBUS_SYSTEM_SOCKET) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	rc = dbus_open(&r->bus, &cfg);
	if (rc == 0)
		rc = dbus_match(r->bus,
			"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.resolve1'");
	return rc;
}

int resolver_ask_resolved(struct resolver *r, dbus_fn fn)
{
	int rc = resolver_open_bus(r);

	return rc == 0 ? dbus_has_owner(r->bus, service, fn) : rc;
}

/* The bus stays until nothing is wanted any more. */
static void forget(struct resolver *r)
{
	r->bus = dbus_close(r->bus);
}

const struct resolver_ops resolver_resolved_ops = {
	.splits = true, .follows_network = true, .sync = sync_resolved, .forget = forget
};
