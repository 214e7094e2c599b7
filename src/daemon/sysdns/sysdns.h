/*
 * daemon/sysdns: the resolver of this system says what the engine wants: os/resolver for the engine in use. Only while somebody serves at
 * the addresses that it is told.
 */
#ifndef WARREN_DAEMON_SYSDNS_SYSDNS_H
#define WARREN_DAEMON_SYSDNS_SYSDNS_H

#include "daemon/engine/engine.h"
#include "os/resolver/resolver.h"

struct sysdns;

struct sysdns_cfg { /* borrowed */
	enum resolver_choice choice;
	const char *interface;
};

/* Undoes what a daemon that was killed left behind. What went wrong was logged. */
MUST_USE int sysdns_new(struct sysdns **ret, struct engine *e, const struct sysdns_cfg *cfg);
/* Undoes all; the loop runs meanwhile, for a few seconds at the most. */
struct sysdns *sysdns_free(struct sysdns *s);

/* Somebody answers at 100.100.100.100 and its IPv6 twin; not any more. */
void sysdns_set_served(struct sysdns *s, bool served);
/* What the engine wants may have changed (NODE_DNS), or it is another engine: looked at at the end of the turn. */
void sysdns_changed(struct sysdns *s); /* these three take NULL: it has ended already */
void sysdns_on_network_change(struct sysdns *s);
void sysdns_turn_end(struct sysdns *s);

/* What others say, for upstreams. True once after it may have changed. */
const struct os_dns_config *sysdns_base(const struct sysdns *s);
bool sysdns_take_base_changed(struct sysdns *s);
struct resolver_status sysdns_status(const struct sysdns *s);

#endif
