/*
 * daemon/device: this device: an engine, and the parts of this machine that it works with: network, streams, what is kept on disk,
 * who listens. Which account it is may change while it runs (device_become); the parts stay.
 */
#ifndef WARREN_DAEMON_DEVICE_DEVICE_H
#define WARREN_DAEMON_DEVICE_DEVICE_H

#include "daemon/bus/bus.h"
#include "daemon/dial/dialer.h"
#include "daemon/dns/dnsd.h"
#include "daemon/engine/engine.h"
#include "daemon/net/net.h"
#include "daemon/state/keeper.h"
#include "daemon/sysdns/sysdns.h"

struct hostname_watch;

struct device {
	struct engine engine;
	struct keeper *keeper;
	struct net *net;       /* NULL: not open yet */
	struct sysdns *sysdns; /* likewise */
	struct dialer *dialer;
	struct dnsd *dns;
	struct bus *bus;
	uint64_t mtu;
	struct loop_timer *timer;              /* node_deadline */
	struct hostname_watch *hostname_watch; /* NULL: this system does not tell */
	bool netcheck_done;                    /* since device_take_netcheck_done */
};

struct device_cfg {
	struct loop *loop;
	struct keeper_cfg keeper;
	uint64_t mtu; /* 0: the usual */
};

/* The parts, without network and without an engine. d: zeroed. */
MUST_USE int device_init(struct device *d, const struct device_cfg *cfg);
/* The profile that was current at the end of the last life, or a fresh one. What went wrong was logged. */
MUST_USE int device_become_current(struct device *d);
/* Another profile, which is taken. Whoever waits for an answer of the engine before has got one. */
MUST_USE int device_become(struct device *d, struct profile *take);
/* From now on the engine is told when the machine has another name. */
void device_watch_hostname(struct device *d);
/* What has happened goes to who is concerned: after every call of the engine, so at the end of the turn. */
void device_take_events(struct device *d);
/* What the machine's network and its resolver have become. Before the services are asked for their deadlines. */
void device_look_around(struct device *d);
void device_turn_end(struct device *d);
bool device_take_netcheck_done(struct device *d);

/* All is written; nothing is told any more. Then the loop may be freed, and then the rest. */
void device_finish(struct device *d);
void device_fini(struct device *d);

/* ---- hostinfo.c ---- */

/* What this machine is: the part of Hostinfo that does not change while we run. */
MUST_USE int device_hostinfo(
	struct arena *a, const struct secret_machine *machine, struct tc_hostinfo *ret);

#endif
