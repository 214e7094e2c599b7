#include "daemon/sysdns/sysdns.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdlib.h>

struct sysdns {
	struct engine *e;
	struct resolver *resolver;
	bool served, changed, base_changed;
	enum resolver_state told; /* in the log */
};

static void log_state(struct sysdns *s, const struct resolver_status *now)
{
	if (now->state == s->told || now->state == RESOLVER_WORKING)
		return;
	s->told = now->state;
	if (now->state == RESOLVER_SET)
		log_info("dns", "the system's resolver is told", "manager=%s why=\"%s\"",
			resolver_manager_name(now->manager), now->why);
	else if (now->state == RESOLVER_YIELDED)
		log_warn("dns",
			"another program has written /etc/resolv.conf again; its content stays",
			"times=%u", now->overwritten);
	else if (now->state == RESOLVER_FAILED)
		log_warn("dns", "the system's resolver cannot be told", "manager=%s err=%s",
			resolver_manager_name(now->manager), err_text(now->rc));
}

static void on_changed(void *ctx)
{
	struct sysdns *s = ctx;
	const struct resolver_status now = resolver_status(s->resolver);

	s->base_changed = true;
	log_state(s, &now);
	engine_set_os_fault(s->e, NODE_FAULT_RESOLVER_YIELDED, now.state == RESOLVER_YIELDED);
	engine_set_os_fault(s->e, NODE_FAULT_RESOLVER, now.state == RESOLVER_FAILED);
}

int sysdns_new(struct sysdns **ret, struct engine *e, const struct sysdns_cfg *cfg)
{
	struct sysdns *s = calloc(1, sizeof(*s));
	const struct resolver_cfg resolver = { .loop = e->loop,
		.root = "",
		.interface = cfg->interface,
		.choice = cfg->choice,
		.changed = on_changed,
		.ctx = s };
	int rc = s ? resolver_new(&s->resolver, &resolver) : -ENOMEM;

	if (rc < 0) {
		log_error("dns", "cannot look after the system's resolver", "err=%s", err_text(rc));
		free(s);
		return rc;
	}
	s->e = e;
	s->base_changed = true;
	*ret = s;
	return 0;
}

struct sysdns *sysdns_free(struct sysdns *s)
{
	if (s)
		resolver_free(s->resolver);
	free(s);
	return NULL;
}

void sysdns_set_served(struct sysdns *s, bool served)
{
	s->changed |= served != s->served;
	s->served = served;
}

void sysdns_changed(struct sysdns *s)
{
	if (s)
		s->changed = s->base_changed = true;
}

void sysdns_on_network_change(struct sysdns *s)
{
	if (s)
		resolver_on_network_change(s->resolver);
}

void sysdns_turn_end(struct sysdns *s)
{
	const struct node_os_dns *o;
	struct resolver_wish w = { 0 };
	int rc;

	if (!s || !s->changed)
		return;
	s->changed = false;
	o = s->e->node ? node_os_dns(s->e->node) : NULL;
	if (o && o->wanted && s->served)
		w = (struct resolver_wish){
			.whole = &o->whole, .split = &o->split, .add_search = o->wants_base
		};
	rc = resolver_want(s->resolver, w.whole ? &w : NULL);
	if (rc < 0)
		log_warn("dns", "the system's resolver cannot be told", "err=%s", err_text(rc));
}

const struct os_dns_config *sysdns_base(const struct sysdns *s)
{
	return resolver_base(s->resolver);
}

bool sysdns_take_base_changed(struct sysdns *s)
{
	bool changed = s->base_changed;

	s->base_changed = false;
	return changed;
}

struct resolver_status sysdns_status(const struct sysdns *s)
{
	return resolver_status(s->resolver);
}
